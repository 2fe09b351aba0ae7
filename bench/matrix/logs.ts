/**
 * Keeps what every container of the group and of the handlers says during a run, those of pods that are gone by its end too, and puts all of it in the order of
 * time. The files are held open from the moment when they are seen: the kubelet removes them with their pod.
 */
import { closeSync, fstatSync, openSync, readSync, writeFileSync } from "node:fs";
import { podLogs } from "../../test/cluster/cluster.ts";

const LOOK_EVERY_MS = 200;

interface Open {
  readonly from: string;
  readonly file: number;
  /** where the run begins in it, bytes */
  readonly start: number;
}

export class Logs {
  readonly #cluster: string;
  readonly #namespaces: ReadonlySet<string>;
  readonly #open = new Map<string, Open>();
  readonly #looking: NodeJS.Timeout;

  /** What was written before now is left out. */
  constructor(cluster: string, namespaces: readonly string[]) {
    this.#cluster = cluster;
    this.#namespaces = new Set(namespaces);
    this.#look(true);
    this.#looking = setInterval(() => this.#look(false), LOOK_EVERY_MS);
  }

  /** Ends it, and writes the lines to a file where one is given: time, pod/container, text. */
  end(path: string | undefined): void {
    clearInterval(this.#looking);
    this.#look(false);
    if (path !== undefined) {
      const lines = [...this.#open.values()].flatMap(linesOf);
      writeFileSync(path, `${lines.sort((one, other) => (one < other ? -1 : 1)).join("\n")}\n`);
    }
    for (const { file } of this.#open.values()) closeSync(file);
    this.#open.clear();
  }

  #look(first: boolean): void {
    for (const { namespace, pod, container, path } of podLogs({ name: this.#cluster })) {
      if (!this.#namespaces.has(namespace) || this.#open.has(path)) continue;
      try {
        const file = openSync(path, "r");
        this.#open.set(path, { from: `${pod}/${container}`, file, start: first ? fstatSync(file).size : 0 });
      } catch {
        // Its pod went at this moment.
      }
    }
  }
}

/** The runtime's lines are `TIME stdout|stderr F|P TEXT`. */
function linesOf({ from, file, start }: Open): string[] {
  const bytes = Buffer.alloc(Math.max(0, fstatSync(file).size - start));
  readSync(file, bytes, 0, bytes.length, start);
  return bytes
    .toString()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [time = "", , , ...text] = line.split(" ");
      return `${time} ${from} ${text.join(" ")}`;
    });
}
