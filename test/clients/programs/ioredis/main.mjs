import { Redis } from "ioredis";
import { RECOMMENDED, say, TARGET, write } from "../shared/writers.mjs";

// docs:begin
const settings = {
  // a name or an address that does not answer is tried again soon
  connectTimeout: 1000,
  // a connection on which an answer is due and nothing comes for so long is given up: the default waits for ever
  socketTimeout: 2000,
  // soon, and again soon: 20 ms more before each attempt, 300 ms at most
  retryStrategy: (attempt) => Math.min(20 * attempt, 300),
  // a write that met a replica is sent again on a new connection
  reconnectOnError: (error) => (error.message.startsWith("READONLY") ? 2 : false),
};
// docs:end

const client = new Redis({ ...TARGET, ...(RECOMMENDED ? settings : {}) });
client.on("error", () => undefined);
client.on("ready", () => say({ connected: true }));
await write((key, value) => client.set(key, value));
