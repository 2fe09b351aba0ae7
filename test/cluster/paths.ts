import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { env } from "node:process";
import { fileURLToPath } from "node:url";

/** Where everything that is built once is kept, by version; shared by all clusters. */
export const CACHE: string = join(env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "redis-ha");

/** Where running clusters keep their files; `down` removes a cluster's folder. */
export const STATE = "/var/lib/redis-ha-cluster";

/** The checkout that this file belongs to. */
export const PROJECT: string = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** The folder of the cluster tool's own sources. */
export const SOURCES: string = join(PROJECT, "test", "cluster");

/** The folder of logs of builds; it stays after a failure. */
export const BUILD_LOGS: string = join(CACHE, "logs");
