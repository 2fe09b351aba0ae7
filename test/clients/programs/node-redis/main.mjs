import { createClient } from "redis";
import { RECOMMENDED, say, TARGET, write } from "../shared/writers.mjs";

// docs:begin
const settings = {
  socket: {
    connectTimeout: 1000,
    // a connection without any byte for so long is closed; the ping keeps an idle one alive
    socketTimeout: 2000,
    // must be given together with socketTimeout: the default strategy ends the client for good after a socket timeout.
    // 20 ms more before each attempt, 300 ms at most
    reconnectStrategy: (attempt) => Math.min(20 * (attempt + 1), 300),
  },
  pingInterval: 500,
};
// docs:end

const { host, port, password } = TARGET;
const chosen = RECOMMENDED ? settings : {};
const client = createClient({ ...chosen, socket: { ...chosen.socket, host, port }, password });
client.on("error", () => undefined);
client.on("ready", () => say({ connected: true }));
await client.connect();
await write((key, value) => client.set(key, value));
