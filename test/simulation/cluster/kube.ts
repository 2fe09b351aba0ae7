/** The product's interface `Kube` for one simulated process: every request crosses the simulated network to the simulated API server. */
import type { Kube, KubeRequest, Query, RequestOptions } from "../../../kube/client.ts";
import { KubeError } from "../../../kube/error.ts";
import type { LineStream } from "../../../kube/stream.ts";
import type { KubeList } from "../../../kube/types.ts";
import type { Network } from "../world/network.ts";
import type { Proc } from "../world/world.ts";
import { type ApiServer, type Call, selector, type Thing } from "./api.ts";

const noAnswer = (reason: string, message: string): KubeError => new KubeError({ status: 0, reason, message });

export function simulatedKube(api: ApiServer, network: Network, proc: Proc): Kube {
  const { world } = api;
  const there = (): number =>
    network.latency(proc.host, api.host) + 0.5 + world.random.next() * 2 + api.slowMs * (0.5 + world.random.next());
  const back = (): number => network.latency(api.host, proc.host);
  const parted = (): boolean => network.blocked(proc.host, api.host) || network.blocked(api.host, proc.host);

  function request<T>(wanted: KubeRequest): Promise<T> {
    return new Promise((resolve, reject) => {
      let over = false;
      const finish = (run: () => void): void => {
        if (over) return;
        over = true;
        late.cancel();
        run();
      };
      const late = proc.after(wanted.timeoutMs ?? 5000, () =>
        finish(() => reject(noAnswer("Timeout", `${wanted.method} ${wanted.path}: no answer in time`))),
      );
      const call: Call = {
        method: wanted.method,
        path: wanted.path,
        query: asParameters(wanted.query),
        body: wanted.body === undefined ? undefined : JSON.parse(JSON.stringify(wanted.body)),
        contentType: wanted.contentType ?? "application/json",
      };
      const serve = (): void => {
        let run: () => void;
        try {
          const answer = api.handle(call);
          run = () => resolve(answer as T);
        } catch (error) {
          if (!(error instanceof KubeError)) throw error;
          run = () => reject(error);
        }
        if (!parted()) world.schedule(back(), () => finish(run), proc);
      };
      if (parted()) return;
      world.schedule(there(), () => {
        if (parted()) return;
        if (api.state === "refuses") {
          const refused = noAnswer("ConnectionFailed", `${wanted.method} ${wanted.path}: connect ECONNREFUSED`);
          world.schedule(back(), () => finish(() => reject(refused)), proc);
        } else if (api.state === "hangs") api.hang(serve);
        else serve();
      });
    });
  }

  /** A watch: what happens from now on (lists and watches meet without a gap, as resourceVersions make sure). */
  function stream({ path, onLine, signal, silentMs, onOpen }: LineStream): Promise<void> {
    return new Promise((resolve, reject) => {
      const [plain = "", query = ""] = path.split("?");
      const parameters = new URLSearchParams(query);
      const plural = plain.split("/").at(-1) ?? "";
      const since = Number(parameters.get("resourceVersion") ?? "0");
      let over = false;
      let arrival = 0;
      let stop: () => void = () => undefined;
      const finish = (error?: KubeError): void => {
        if (over) return;
        over = true;
        stop();
        silence.cancel();
        signal.removeEventListener("abort", abort);
        if (error === undefined) resolve();
        else reject(error);
      };
      const abort = (): void => finish(noAnswer("Stopped", "stopped"));
      const silent = (): void => finish(noAnswer("Timeout", `nothing came for ${silentMs} ms`));
      let silence = proc.after(silentMs, silent);
      signal.addEventListener("abort", abort);
      const tell = (type: string, thing: Thing): void => {
        if (parted()) {
          // TCP keeps it; the model lets the watch break when the path has healed, which costs a list more.
          stop();
          const wait = (): void => {
            if (parted()) proc.after(300, wait);
            else finish(noAnswer("ConnectionFailed", "the stream was closed"));
          };
          wait();
          return;
        }
        const at = Math.max(world.now + back() + 1 + world.random.next() * 3 + api.staleMs, arrival);
        arrival = at;
        world.schedule(
          at - world.now,
          () => {
            if (over) return;
            silence.cancel();
            silence = proc.after(silentMs, silent);
            try {
              onLine(JSON.stringify({ type, object: thing }));
            } catch (error) {
              finish(error instanceof KubeError ? error : noAnswer("error", String(error)));
            }
          },
          proc,
        );
      };
      const open = (): void => {
        const matches = selector(parameters);
        const broken = (): void => {
          world.schedule(back(), () => finish(noAnswer("ConnectionFailed", "the stream was closed")), proc);
        };
        stop = api.watch({ plural, matches, tell, broken });
        proc.onKill(stop);
        onOpen?.();
        // What happened between the list and this moment, in its order: a name may have been given again.
        const version = ({ metadata }: Thing): number => Number(metadata.resourceVersion);
        const missed = [
          ...api.list(plural).flatMap((thing) => (version(thing) > since ? [["ADDED", thing] as const] : [])),
          ...api.removedSince(plural, since).map((thing) => ["DELETED", thing] as const),
        ].sort(([, one], [, other]) => version(one) - version(other));
        for (const [type, thing] of missed) if (matches(thing)) tell(type, thing);
      };
      if (parted() || api.state === "hangs") {
        proc.after(5000, () => finish(noAnswer("Timeout", "no answer in time")));
        return;
      }
      if (api.state === "refuses") {
        proc.after(1, () => finish(noAnswer("ConnectionFailed", "connect ECONNREFUSED")));
        return;
      }
      world.schedule(there(), () => (over || !proc.alive ? undefined : open()));
    });
  }

  const get = <T>(path: string, rest?: RequestOptions): Promise<T> => request({ method: "GET", path, ...rest });
  return {
    request,
    get,
    list: <T>(path: string, rest?: RequestOptions) => get<KubeList<T>>(path, rest),
    create: (path, body, rest) => request({ method: "POST", path, body, ...rest }),
    replace: (path, body, rest) => request({ method: "PUT", path, body, ...rest }),
    jsonPatch: (path, body, rest) =>
      request({ method: "PATCH", path, body, contentType: "application/json-patch+json", ...rest }),
    mergePatch: (path, body, rest) =>
      request({ method: "PATCH", path, body, contentType: "application/merge-patch+json", ...rest }),
    remove: () => Promise.reject(new Error("not simulated: delete")),
    stream,
    open: () => Promise.reject(new Error("not simulated: a raw answer")),
    warm: () => Promise.resolve(),
    keepWarm: () => undefined,
    close: () => undefined,
  };
}

function asParameters(query: Query = {}): URLSearchParams {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value !== undefined) parameters.set(key, String(value));
  return parameters;
}
