/** Every way in which a user's pod starts a server, and what must be in force then. */
import type { Start } from "./pod.ts";
import type { Variables } from "./running.ts";

export interface Form extends Start {
  readonly title: string;
  /** {server} is the name of the server of the image, {bin} the folder where it is, {home} the pod's volume */
  readonly words: readonly string[];
  readonly files?: Variables;
  readonly expected?: Variables;
  /** programs of the image */
  readonly programs?: Variables;
  /** what the log must say */
  readonly says?: RegExp;
}

/** What the official images have: the older kind, and the kind that redis 8 brought. Written anew, with what matters to us. */
const ENTRYPOINT = `
if [ "\${1#-}" != "$1" ] || [ "\${1%.conf}" != "$1" ]; then set -- {server} "$@"; fi
[ "$1" != {server} ] || set -- "$@" --maxclients 777
exec "$@" $EXTRA_FLAGS`;
const ENTRYPOINT_BY_LINK = `
if [ "\${1#-}" != "$1" ] || [ "\${1%.conf}" != "$1" ]; then set -- {server} "$@"; fi
found=$(command -v "$1")
[ "$(readlink -f "$found")" != "{bin}/{server}" ] || set -- "$@" --maxclients 777
[ "$(realpath "$found")" != "{bin}/{server}" ] || set -- "$@" --databases 7
exec "$@"`;

const CONF = `# a comment
port 6379
bind 127.0.0.1 -::1
protected-mode yes
daemonize yes
supervised auto
requirepass another
masteruser somebody
SLAVEOF 192.0.2.1 6379
"replicaof" 192.0.2.1 6379
maxmemory 50mb
maxmemory-policy "allkeys-lru"
slave-serve-stale-data no
appendonly yes
save 3600 1
include {home}/data/more/*.conf`;

export const FORMS: readonly Form[] = [
  { title: "nothing at all", words: [] },
  { title: "the server alone as args", words: ["{server}"] },
  { title: "the server alone as command", words: ["{server}"], command: true },
  {
    title: "the server by its full path",
    words: ["{bin}/{server}", "--maxmemory", "7mb"],
    command: true,
    expected: { maxmemory: "7340032" },
  },
  {
    title: "options only",
    words: ["--appendonly", "yes", "--maxmemory", "100mb"],
    expected: { appendonly: "yes", maxmemory: "104857600" },
  },
  { title: "options that ask for a master", words: ["--replicaof", "no", "one"] },
  {
    title: "options that name a master",
    words: ["--slaveof", "192.0.2.1", "6379", "--replica-read-only", "no"],
    expected: { "replica-read-only": "yes" },
  },
  {
    title: "a configuration file",
    words: ["{home}/data/user.conf", "--maxmemory", "60mb"],
    files: { "user.conf": CONF, "more/a.conf": "hz 17\nreplicaof 192.0.2.2 6379\n", "more/b.conf": "loglevel verbose\n" },
    expected: {
      maxmemory: "62914560",
      "maxmemory-policy": "allkeys-lru",
      appendonly: "yes",
      save: "3600 1",
      hz: "17",
      loglevel: "verbose",
      masteruser: "",
      daemonize: "no",
      supervised: "no",
    },
    says: /bind 127\.0\.0\.1 .* is replaced/,
  },
  {
    title: "server and configuration file",
    words: ["{server}", "user.conf"],
    command: true,
    files: { "user.conf": "hz 23" },
    expected: { hz: "23" },
  },
  {
    title: "save in all its forms",
    words: ["--save", "3600", "1", "300", "100", "--dbfilename", "a b.rdb"],
    expected: { save: "3600 1 300 100", dbfilename: "a b.rdb" },
  },
  { title: "save of nothing", words: ["--save", "", "--hz", "19"], expected: { save: "", hz: "19" } },
  { title: "save without a value, then an option", words: ["--save", "--hz", "19"], expected: { save: "", hz: "19" } },
  { title: "save without a value, last", words: ["--hz", "19", "--save"], expected: { save: "", hz: "19" } },
  { title: "name and value in one word", words: ["--maxmemory 80mb", "--hz 21"], expected: { maxmemory: "83886080", hz: "21" } },
  {
    title: "values with quotes, backslashes and dashes",
    words: [
      "--client-output-buffer-limit",
      "replica 1mb 2mb 60",
      "--proc-title-template",
      '{title} "a\\b" #c',
      "--loglevel",
      "verbose",
    ],
    expected: { "proc-title-template": '{title} "a\\b" #c', loglevel: "verbose" },
  },
  {
    title: "a shell line",
    words: ["sh", "-c", "umask 022 && exec {server} {home}/data/user.conf --appendonly yes"],
    command: true,
    files: { "user.conf": "hz 29" },
    expected: { hz: "29", appendonly: "yes" },
  },
  {
    title: "a shell line without exec",
    words: ["sh", "-c", "{server} --hz 29; echo ended"],
    command: true,
    expected: { hz: "29" },
  },
  {
    title: "a shell line with a full path",
    words: ["sh", "-ec", "exec '{bin}/{server}' --hz 31"],
    command: true,
    expected: { hz: "31" },
  },
  {
    title: "standard input",
    words: ["sh", "-c", "printf 'hz 37\\nreplicaof no one\\n' | exec {server} - --maxmemory 5mb"],
    command: true,
    expected: { hz: "37", maxmemory: "5242880" },
  },
  {
    title: "standard input after the options",
    words: ["sh", "-c", "printf 'hz 41' | exec {server} user.conf --maxmemory 5mb -"],
    command: true,
    files: { "user.conf": "hz 1" },
    expected: { hz: "41", maxmemory: "5242880" },
  },
  {
    title: "the image's entrypoint, options only",
    words: ["--hz", "43"],
    programs: { "docker-entrypoint.sh": ENTRYPOINT },
    env: { EXTRA_FLAGS: "--replicaof no one" },
    expected: { hz: "43", maxclients: "777" },
  },
  {
    title: "the image's entrypoint, nothing at all",
    words: [],
    programs: { "docker-entrypoint.sh": ENTRYPOINT },
    expected: { maxclients: "777" },
  },
  {
    title: "the image's entrypoint as command",
    words: ["docker-entrypoint.sh", "{server}", "--hz", "47"],
    command: true,
    programs: { "docker-entrypoint.sh": ENTRYPOINT },
    expected: { hz: "47", maxclients: "777" },
  },
  {
    title: "an entrypoint that follows links",
    words: ["user.conf"],
    files: { "user.conf": "hz 53" },
    programs: { "docker-entrypoint.sh": ENTRYPOINT_BY_LINK },
    expected: { hz: "53", maxclients: "777", databases: "7" },
  },
  {
    title: "another port",
    words: ["--port", "7000"],
    says: /error: the configuration says 'port 7000' but this group uses port 6379/,
  },
  {
    title: "settings of the group",
    words: ["--min-replicas-to-write", "0"],
    env: { REDIS_HA_MIN_REPLICAS_TO_WRITE: "1", REDIS_HA_MIN_REPLICAS_MAX_LAG: "7", REDIS_HA_PRIORITY: "42" },
    // The priority is given back when it follows a master (all-restart.test.ts).
    expected: { "min-replicas-to-write": "1", "min-replicas-max-lag": "7", "replica-priority": "0" },
  },
];

/** Those in which the versions differ. */
export const FEW: readonly Form[] = FORMS.filter(({ title }) =>
  new Set([
    "options only",
    "a configuration file",
    "a shell line",
    "an entrypoint that follows links",
    "standard input",
    "save without a value, then an option",
  ]).has(title),
);
