/**
 * The one vocabulary of reasons. The same word is the Kubernetes Event's reason, the log line's `reason`, the metric's label and what `status` prints.
 * A reason that halts a group is in HALTED.
 */
export const REASON = {
  // webhook and certificates
  NotInjected: "NotInjected",
  CertificateCreated: "CertificateCreated",
  CertificateRenewed: "CertificateRenewed",
  CertificateRepaired: "CertificateRepaired",
  // objects of a group
  SecretCreated: "SecretCreated",
  SecretRestored: "SecretRestored",
  HaltedSecretMissing: "HaltedSecretMissing",
  GroupCertificateRenewed: "GroupCertificateRenewed",
  GroupCertificateStale: "GroupCertificateStale",
  GroupCertificateUnusable: "GroupCertificateUnusable",
  ServiceCreated: "ServiceCreated",
  NetworkPolicyChanged: "NetworkPolicyChanged",
  DisruptionBudgetChanged: "DisruptionBudgetChanged",
  ServiceTypeChanged: "ServiceTypeChanged",
  ServiceTypeRefused: "ServiceTypeRefused",
  ServiceTakenOver: "ServiceTakenOver",
  ServiceGivenBack: "ServiceGivenBack",
  InvalidSettings: "InvalidSettings",
  SettingsDiffer: "SettingsDiffer",
  // route
  MasterRouted: "MasterRouted",
  SelectorRepaired: "SelectorRepaired",
  ConnectionsCut: "ConnectionsCut",
  EndpointsLate: "EndpointsLate",
  // bootstrap and recovery
  RecordRestored: "RecordRestored",
  HaltedRecordMissing: "HaltedRecordMissing",
  WaitingForPods: "WaitingForPods",
  Bootstrapped: "Bootstrapped",
  Recovered: "Recovered",
  WaitingForLastMaster: "WaitingForLastMaster",
  HaltedManualRecovery: "HaltedManualRecovery",
  HaltedDataMissing: "HaltedDataMissing",
  PromotedByPerson: "PromotedByPerson",
  RequestRefused: "RequestRefused",
  Adopting: "Adopting",
  Adopted: "Adopted",
  // failover
  MasterDead: "MasterDead",
  FailedOver: "FailedOver",
  FailoverBySentinel: "FailoverBySentinel",
  FailoverImpossible: "FailoverImpossible",
  WaitingForSentinel: "WaitingForSentinel",
  WaitingForReplica: "WaitingForReplica",
  // handover
  HandoverStarted: "HandoverStarted",
  HandedOver: "HandedOver",
  HandoverAborted: "HandoverAborted",
  HandoverImpossible: "HandoverImpossible",
  // fence
  StaleMasterFenced: "StaleMasterFenced",
  WritesLost: "WritesLost",
  // attach
  ReplicaAttached: "ReplicaAttached",
  ReplicaConfigured: "ReplicaConfigured",
  // sentinels
  SentinelConfigured: "SentinelConfigured",
  SentinelSlotGiven: "SentinelSlotGiven",
  SentinelGhostForgotten: "SentinelGhostForgotten",
  QuorumLost: "QuorumLost",
  QuorumRestored: "QuorumRestored",
  // shell
  ActFailed: "ActFailed",
  LeaseTaken: "LeaseTaken",
  LeaseLost: "LeaseLost",
} as const;

export type Reason = (typeof REASON)[keyof typeof REASON];

/** Reasons with which a group stops changing anything until a person or a fact helps. */
export const HALTED: ReadonlySet<Reason> = new Set<Reason>([
  REASON.HaltedManualRecovery,
  REASON.HaltedDataMissing,
  REASON.HaltedRecordMissing,
  REASON.HaltedSecretMissing,
]);

/** Reasons that say that another pod has become master. */
export const MASTER_CHANGED: ReadonlySet<Reason> = new Set<Reason>([
  REASON.Bootstrapped,
  REASON.Recovered,
  REASON.PromotedByPerson,
  REASON.Adopted,
  REASON.FailedOver,
  REASON.FailoverBySentinel,
  REASON.HandedOver,
]);

/** Reasons whose Event is of type Warning. */
export const WARNING: ReadonlySet<Reason> = new Set<Reason>([
  ...HALTED,
  REASON.NotInjected,
  REASON.SecretRestored,
  REASON.CertificateRepaired,
  REASON.GroupCertificateStale,
  REASON.GroupCertificateUnusable,
  REASON.ServiceTypeRefused,
  REASON.InvalidSettings,
  REASON.SettingsDiffer,
  REASON.SelectorRepaired,
  REASON.EndpointsLate,
  REASON.WaitingForLastMaster,
  REASON.RequestRefused,
  REASON.MasterDead,
  REASON.FailoverImpossible,
  REASON.HandoverAborted,
  REASON.HandoverImpossible,
  REASON.StaleMasterFenced,
  REASON.WritesLost,
  REASON.QuorumLost,
  REASON.ActFailed,
]);
