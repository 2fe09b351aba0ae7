/**
 * The one vocabulary of names: annotations, labels, env variables, ports and object names. No other file spells one of these strings.
 * Mirrored for the shell in docker/boot/lib.sh; a unit test compares the two.
 */

/** The prefix of every key of ours. */
export const PREFIX = "redis-ha.io/";

/** Annotations that a person writes on the pod template (or on the workload, from where the webhook copies them). */
export const ANNOTATION = {
  cluster: `${PREFIX}cluster`,
  role: `${PREFIX}role`,
  sentinel: `${PREFIX}sentinel`,
  quorum: `${PREFIX}quorum`,
  downAfter: `${PREFIX}down-after`,
  failoverTimeout: `${PREFIX}failover-timeout`,
  parallelSyncs: `${PREFIX}parallel-syncs`,
  durability: `${PREFIX}durability`,
  minReplicasToWrite: `${PREFIX}min-replicas-to-write`,
  minReplicasMaxLag: `${PREFIX}min-replicas-max-lag`,
  container: `${PREFIX}container`,
  port: `${PREFIX}port`,
  auth: `${PREFIX}auth`,
  masterService: `${PREFIX}master-service`,
  promotion: `${PREFIX}promotion`,
  recovery: `${PREFIX}recovery`,
  recoveryWait: `${PREFIX}recovery-wait`,
  priority: `${PREFIX}priority`,
  networkPolicy: `${PREFIX}network-policy`,
  disruptionBudget: `${PREFIX}disruption-budget`,
  spread: `${PREFIX}spread`,
  expose: `${PREFIX}expose`,
  tls: `${PREFIX}tls`,
} as const;

/** Annotations that a person writes on the master Service to ask for an act; the handlers check, act and remove them. */
export const REQUEST = {
  handover: `${PREFIX}handover`,
  promote: `${PREFIX}promote`,
} as const;

/** Annotations that only we write. */
export const MARK = {
  /** On a pod, by the webhook: JSON {version, hash, injected}. */
  status: `${PREFIX}status`,
  /** On a pod, by the handlers: the sentinel slot ("0", "1", …), read by the sentinel's boot script through the downward API. */
  sentinelSlot: `${PREFIX}sentinel-slot`,
  /** On the master Service, by the handlers: JSON MasterRecord, the last confirmed master. Its presence says that the group was bootstrapped. */
  master: `${PREFIX}master`,
  /** On the master Service, by the handlers: JSON MasterRecord[], newest first, at most 20. */
  history: `${PREFIX}history`,
  /** On the master Service, by the handlers: the last changes of master step by step, newest first (model/timeline.ts). */
  timelines: `${PREFIX}timelines`,
  /** On the master Service: why the group is halted, absent when it is not. */
  halted: `${PREFIX}halted`,
  /** On the master Service: the type that we gave it (`expose`), so that one that a person chose is never taken back. */
  exposed: `${PREFIX}exposed`,
  /** On a Service that was taken over (`master-service`): the selector that it had, as JSON. */
  originalSelector: `${PREFIX}original-selector`,
  /** On a Service that was taken over: "true" where it had publishNotReadyAddresses already. */
  originalPublish: `${PREFIX}original-publish-not-ready`,
} as const;

/** Labels that we put on pods and on the objects that we make. */
export const LABEL = {
  cluster: `${PREFIX}cluster`,
  /** Random and unique to one pod: what the master Service selects. */
  instance: `${PREFIX}instance`,
  /** master | replica: for people and for the -replicas Service; kept by the handlers. */
  role: `${PREFIX}role`,
  /** "true" on every pod that runs a sentinel: what the -sentinel Service selects. */
  sentinel: `${PREFIX}has-sentinel`,
  /** "true" on every injected pod that runs a redis. */
  redis: `${PREFIX}has-redis`,
  /** On a namespace: "disabled" keeps the webhook away from it. */
  injection: `${PREFIX}injection`,
  /** On pods of people: which group they are clients of, where its network-policy is `labelled`. */
  client: `${PREFIX}client`,
  managedBy: "app.kubernetes.io/managed-by",
  /** On our own pods. */
  appName: "app.kubernetes.io/name",
} as const;

export const MANAGED_BY = "redis-ha";

/** Where redis-ha itself is installed, unless somebody chose another place. */
export const SYSTEM_NAMESPACE = "redis-ha-system";
/** The labels of redis-ha's own pods. */
export const SERVER_LABELS = { "app.kubernetes.io/name": "redis-ha", "app.kubernetes.io/component": "server" } as const;
/** Of the handlers: who holds it acts. */
export const LEASE = "redis-ha-handlers";
/** Our MutatingWebhookConfiguration. */
export const WEBHOOK_CONFIGURATION = "redis-ha";
/** Plain HTTP of redis-ha's own pods: probes, metrics, and what the handlers know. */
export const ADMIN_PORT = 8080;

/** The readiness gate that says: master, or a replica whose link is up and that has caught up. */
export const IN_SYNC_GATE = `${PREFIX}in-sync`;

/** Containers and volumes that are injected. */
export const INJECTED = {
  bootContainer: "redis-ha-boot",
  sentinelContainer: "redis-ha-sentinel",
  /** emptyDir: scripts in bin/, written at run time in redis/ and sentinel/. */
  volume: "redis-ha",
  mountPath: "/redis-ha",
  /** downwardAPI volume: the file `slot` holds the annotation MARK.sentinelSlot. */
  podInfoVolume: "redis-ha-pod",
  podInfoMountPath: "/redis-ha-pod",
  /** secret volume, with TLS only: the files TLS_FILES; the kubelet exchanges all of them at once. */
  tlsVolume: "redis-ha-tls",
  tlsMountPath: "/redis-ha-tls",
  redisCommand: "/redis-ha/bin/redis",
  sentinelCommand: "/redis-ha/bin/sentinel",
  preStopCommand: "/redis-ha/bin/prestop",
  /** exits 0 when something answers on the port that is its argument; for groups with TLS, whose servers log every bare connection */
  aliveCommand: "/redis-ha/bin/alive",
} as const;

/** Environment variables given to the boot scripts. All on redis and sentinel containers, unless said. */
export const ENV = {
  cluster: "REDIS_HA_CLUSTER",
  role: "REDIS_HA_ROLE",
  /** host name of the sentinel Service (headless) */
  sentinelHost: "REDIS_HA_SENTINEL_HOST",
  sentinelPort: "REDIS_HA_SENTINEL_PORT",
  /** what Sentinel calls the group: see masterName() */
  masterName: "REDIS_HA_MASTER_NAME",
  port: "REDIS_HA_PORT",
  podIp: "REDIS_HA_POD_IP",
  podName: "REDIS_HA_POD_NAME",
  podUid: "REDIS_HA_POD_UID",
  instance: "REDIS_HA_INSTANCE",
  /** absent with auth: none */
  password: "REDIS_HA_PASSWORD",
  quorum: "REDIS_HA_QUORUM",
  downAfterMs: "REDIS_HA_DOWN_AFTER_MS",
  failoverTimeoutMs: "REDIS_HA_FAILOVER_TIMEOUT_MS",
  parallelSyncs: "REDIS_HA_PARALLEL_SYNCS",
  minReplicasToWrite: "REDIS_HA_MIN_REPLICAS_TO_WRITE",
  minReplicasMaxLag: "REDIS_HA_MIN_REPLICAS_MAX_LAG",
  priority: "REDIS_HA_PRIORITY",
  /** where the files TLS_FILES are; absent or empty: the group speaks without TLS */
  tlsFolder: "REDIS_HA_TLS_FOLDER",
} as const;

export const REDIS_PORT = 6379;
export const SENTINEL_PORT = 26379;

/** Keys of a TLS Secret (type kubernetes.io/tls; cert-manager adds the CA), and the names of the files made from them. */
export const TLS_FILES = { certificate: "tls.crt", key: "tls.key", authority: "ca.crt" } as const;

/** Name of the pod environment's key in the password Secret. */
export const SECRET_KEY = "password";

/** `<cluster>-master`: always leads to the master. */
export const masterServiceName = (cluster: string): string => `${cluster}-master`;
/** `<cluster>-replicas`: the pods whose role label is replica. */
export const replicasServiceName = (cluster: string): string => `${cluster}-replicas`;
/** `<cluster>-sentinel`: headless, every pod with a sentinel, also before it is ready. */
export const sentinelServiceName = (cluster: string): string => `${cluster}-sentinel`;
/** `<cluster>-redis-ha`: the generated password. */
export const secretName = (cluster: string): string => `${cluster}-redis-ha`;

/** `<cluster>-redis-ha`: who may connect to the group's pods, where that was asked for. */
export const networkPolicyName = (cluster: string): string => `${cluster}-redis-ha`;

/**
 * The names by which a TLS client may know the group's master, the first one is what redis-ha itself asks for. Names of one Service and no addresses, because
 * pods come and go; every server of the group shows the same certificate.
 */
export const masterNames = (namespace: string, service: string): readonly [string, ...string[]] => [
  `${service}.${namespace}.svc`,
  `${service}.${namespace}`,
  `${service}.${namespace}.svc.cluster.local`,
];
/** `<cluster>-redis-ha`: how many of the redis pods may be evicted at a time. */
export const budgetName = (cluster: string): string => `${cluster}-redis-ha`;
/** `<cluster>-redis-ha-sentinel`: the same for the pods of a sentinel workload (role sentinel). */
export const sentinelBudgetName = (cluster: string): string => `${cluster}-redis-ha-sentinel`;

/** What Sentinel calls the group. Unique in a Kubernetes cluster, so that two groups can never take each other for one (facts: address reuse). */
export const masterName = (namespace: string, cluster: string): string => `${namespace}.${cluster}`;

/** Where a redis that has no master yet is pointed: nobody listens there but a stopped process, so it waits quietly. */
export const NOBODY = { host: "127.0.0.1", port: 6378 } as const;

/** The redis parameter by which a replica speaks TLS to its master, and a sentinel to everybody. */
export const TLS_REPLICATION = "tls-replication";

/**
 * The boot script writes a report into the redis parameter `syslog-ident` (free text, unused unless syslog is on): readable with CONFIG GET, needs no exec,
 * and is made anew at every start of the process. See parseBootReport in model/boot-report.ts.
 */
export const BOOT_REPORT_PARAMETER = "syslog-ident";
