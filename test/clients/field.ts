/** Where the clients run and what is done to their server: a real cluster, or two servers of this machine behind a relay. */
import type { Target } from "../client/resp.ts";

export interface Field {
  readonly kind: "cluster" | "local";
  /** what a reader has to know of the circumstances, like the image and the number of nodes */
  readonly about: Readonly<Record<string, string | number>>;
  readonly target: Target;
  /** the faults that can be made here, with a text for people */
  readonly faults: Readonly<Record<string, string>>;
  /** the command line that runs a program where the clients are */
  place(command: readonly string[]): string[];
  /** Waits until all is as it should be and has been so for a while. */
  calm(): Promise<void>;
  /** Makes the fault, takes it back where that is part of it, and returns when the server is whole again. */
  fault(name: string): Promise<void>;
  /** Those of the keys that the master has not. */
  missing(keys: readonly string[]): Promise<string[]>;
  /** Connections of clients that wrote last, on servers that are no masters now: one text each. */
  strays(): Promise<string[]>;
  /** Removes all keys. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** The lines of CLIENT LIST that are a writer's: an ordinary client (no replica, no master) whose last command was SET. */
export function writersIn(clientList: string): string[] {
  return clientList.split("\n").filter((line) => / flags=N .* cmd=set /.test(line));
}
