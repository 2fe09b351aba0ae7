/** The neutral client (test/client) as a pod in a namespace, driven through the API server, so it works in any cluster. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PATH } from "../../../kube/paths.ts";
import type { Held } from "../../client/holders.ts";
import type { Where } from "../../client/locate.ts";
import type { Target } from "../../client/resp.ts";
import type { Verdict, Window } from "../../client/writers.ts";
import { type Bed, PROJECT, serverImage } from "./bed.ts";
import { waitUntil } from "./wait.ts";

export type { Held, Target, Verdict, Where, Window };

const SOURCES = join(PROJECT, "test", "client");
const PORT = 8099;
const START_MS = 60_000;
const CALM_MS = 2000;
const CALM_GAP_MS = 500;

/** The answer to one command: the reply, or the text of the error reply. */
export type Answer = { readonly reply: unknown } | { readonly error: string };

/** The client itself could not do it: no connection, a timeout, a wrong password. */
export class ClientFailed extends Error {
  readonly kind: string;

  constructor(kind: string, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** What a client has noticed: the kinds of errors, but for connections and answers that were only late, as a busy machine makes them too. */
export const noticedIn = ({ errors }: Window): string[] => Object.keys(errors).filter((kind) => !kind.endsWith("-timeout"));

/** The longest time without an acknowledged write, less the client's own standstill within it, ms: what the service has to answer for. */
export const servedGapMs = ({ gapMs, gapStallMs }: Window): number => gapMs - gapStallMs;

/** A gap as people read it, with the client's own standstill within it where that counts. */
export const gapText = ({ gapMs, gapStallMs }: Window): string =>
  `gap ${gapMs} ms${gapStallMs > 100 ? ` (the client itself stood still for ${gapStallMs} ms of it)` : ""}`;

export class ClientPod {
  readonly #bed: Bed;
  readonly #namespace: string;
  readonly #name: string;

  private constructor(bed: Bed, namespace: string, name: string) {
    this.#bed = bed;
    this.#namespace = namespace;
    this.#name = name;
  }

  /** `node`: where it is to run; else where the scheduler likes it. */
  static async start(bed: Bed, namespace: string, name = "client", node?: string): Promise<ClientPod> {
    const data = Object.fromEntries(
      readdirSync(SOURCES)
        .filter((file) => file.endsWith(".ts"))
        .map((file) => [file, readFileSync(join(SOURCES, file), "utf8")]),
    );
    await bed.kube.create(`/api/v1/namespaces/${namespace}/configmaps`, {
      metadata: { name },
      data: { ...data, "package.json": '{"type":"module"}' },
    });
    await bed.kube.create(PATH.pods(namespace), manifest(name, await serverImage(bed), node));
    const client = new ClientPod(bed, namespace, name);
    await waitUntil(`the client pod ${namespace}/${name}`, START_MS, async () => await client.#post("/ping", {}, 2000));
    return client;
  }

  /** Commands one after the other on one connection, each with this bound. */
  async commands(target: Target, commands: readonly (readonly string[])[], timeoutMs = 1000): Promise<Answer[]> {
    return await this.#post<Answer[]>("/commands", { ...target, commands, timeoutMs });
  }

  /** One command; an error reply is thrown. */
  async command(target: Target, ...words: readonly string[]): Promise<unknown> {
    const [answer] = await this.commands(target, [words]);
    if (answer === undefined || "error" in answer) throw new Error(`${words.join(" ")}: ${answer?.error ?? "no answer"}`);
    return answer.reply;
  }

  async startWriters(where: Where, options: { writers?: number; pauseMs?: number; waitFor?: number } = {}): Promise<void> {
    await this.#post("/writers/start", { ...where, writers: 4, pauseMs: 5, timeoutMs: 1000, ...options });
  }

  /** What happened since the last reset. */
  async window(reset = false): Promise<Window> {
    return await this.#post<Window>("/writers/window", { reset });
  }

  /**
   * Waits until writes have been acknowledged for two seconds without a break. A fault then meets a group at rest: kube-proxy takes over at most one
   * change a second, so right after any other change of Services or endpoints it would route up to a second late.
   */
  async calm(withinMs = 20_000): Promise<void> {
    await this.window(true);
    await waitUntil("two seconds of calm traffic", withinMs, async () => {
      const { ms, acked, gapMs, errors } = await this.window();
      if (gapMs > CALM_GAP_MS || Object.keys(errors).length > 0) {
        await this.window(true);
        throw new Error(`a gap of ${gapMs} ms, errors ${JSON.stringify(errors)}`);
      }
      if (ms < CALM_MS || acked === 0) throw new Error(`${acked} acknowledged writes in ${ms} ms`);
    });
  }

  async stopWriters(): Promise<Window> {
    return await this.#post<Window>("/writers/stop", {});
  }

  /** Connections that are held open and made anew when they are closed, `each` of every kind. */
  async startHolders(where: Where, each: number): Promise<void> {
    await this.#post("/holders/start", { ...where, each });
  }

  async holders(): Promise<Held[]> {
    return await this.#post<Held[]>("/holders", {});
  }

  async verify(where: Where): Promise<Verdict> {
    return await this.#post<Verdict>("/writers/verify", where, 60_000);
  }

  async #post<T>(path: string, body: unknown, timeoutMs = 15_000): Promise<T> {
    const proxy = `/api/v1/namespaces/${this.#namespace}/pods/${this.#name}:${PORT}/proxy${path}`;
    const answer = await this.#bed.kube.request<T | { failed: string; kind: string }>({
      method: "POST",
      path: proxy,
      body,
      timeoutMs,
    });
    if (typeof answer === "object" && answer !== null && "failed" in answer) throw new ClientFailed(answer.kind, answer.failed);
    return answer as T;
  }
}

function manifest(name: string, image: string, node: string | undefined): object {
  return {
    metadata: { name, labels: { app: name } },
    spec: {
      ...(node === undefined ? {} : { nodeName: node }),
      restartPolicy: "Never",
      terminationGracePeriodSeconds: 1,
      enableServiceLinks: false,
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          name: "client",
          image,
          imagePullPolicy: "IfNotPresent",
          command: ["/usr/local/bin/node", "--disable-warning=ExperimentalWarning", "/client/main.ts", String(PORT)],
          ports: [{ containerPort: PORT }],
          resources: { requests: { cpu: "50m", memory: "64Mi" } },
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] }, readOnlyRootFilesystem: true },
          volumeMounts: [{ name: "client", mountPath: "/client", readOnly: true }],
        },
      ],
      volumes: [{ name: "client", configMap: { name } }],
    },
  };
}
