/** One plain connection to one server (redis or sentinel): what can be said of it now, a wake-up when that changes, and commands with a bound. */
import type { Redis } from "ioredis";
import { type Endpoint, newClient, patience } from "./client.ts";

export interface LinkOptions extends Endpoint {
  /** the connection came, went, or its state changed */
  readonly onChange: () => void;
  /** called with the connection each time that it is up; for subscriptions */
  readonly onUp?: (redis: Redis) => void;
}

export type LinkState = "connecting" | "up" | "refused" | "timeout" | "denied";

/** Connection attempts: at once after a loss, then in these steps, ms. A pod's lifetime bounds them. */
const RETRY_MS = [0, 20, 50, 100, 200, 200, 500];
/** A connection without an answer for so long is made anew, ms. */
const REOPEN_MS = 10_000;
const CONNECT_TIMEOUT_MS = 400;
/**
 * Beside a connection that has been silent for so long a second one is tried, again and again, ms: after a cut of the network TCP sends its last packet again only
 * seconds after the way is free, while a new connection is there at once.
 */
const BESIDE_MS = 700;
const BESIDE_TIMEOUT_MS = 200;
const BESIDE_PAUSE_MS = 50;
/** A connection that the kernel took for a server that does not answer (stopped, or its node is gone) is given up after this time, ms. */
const HANDSHAKE_MS = 1000;
/** A server that has not answered for this long is called silent, ms. One tick of a busy server's fork can take 100 ms. */
export const ANSWER_MS = 300;

/** A command could not be sent, or got no answer in time. The server's own errors stay ReplyErrors of ioredis. */
export class LinkError extends Error {
  override readonly name = "LinkError";
}

export class Link {
  readonly options: LinkOptions;
  #redis: Redis | undefined;
  #state: LinkState = "connecting";
  #since = Date.now();
  #attempt = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  /** a command that has had no answer yet, though its time is over */
  #hung = 0;
  #hungSince = 0;
  #reopen: NodeJS.Timeout | undefined;
  /** the connection that is tried beside the silent one, and the timer of its next step */
  #beside: Redis | undefined;
  #besideTimer: NodeJS.Timeout | undefined;
  #everUp = false;

  constructor(options: LinkOptions) {
    this.options = options;
    this.#connect();
  }

  get state(): LinkState {
    return this.#state === "up" && this.#hung > 0 ? "timeout" : this.#state;
  }

  /** ms since the state is what it is */
  get forMs(): number {
    return Date.now() - (this.#state === "up" && this.#hung > 0 ? this.#hungSince : this.#since);
  }

  /** it answered once, so the password is right and the process was one of ours */
  get everUp(): boolean {
    return this.#everUp;
  }

  /**
   * Sends one command. Rejects with LinkError when the link is down or the answer does not come within `withinMs`, with ioredis' ReplyError when the
   * server refuses.
   */
  async call(command: readonly string[], withinMs = ANSWER_MS): Promise<unknown> {
    const redis = this.#redis;
    const [name, ...args] = command;
    if (redis === undefined || this.#state !== "up" || name === undefined)
      throw new LinkError(`${this.#label()}: not connected (${this.#state})`);
    const answer = redis.call(name, ...args);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<"late">((resolve) => {
      timer = setTimeout(() => resolve("late"), withinMs);
    });
    const winner = await Promise.race([answer, late]);
    clearTimeout(timer);
    if (winner !== "late") return winner;
    this.#markHung(answer);
    throw new LinkError(`${this.#label()}: no answer to ${name} within ${withinMs} ms`);
  }

  /** Sends several commands in one write; each answer or error in its place. */
  async all(commands: readonly (readonly string[])[], withinMs = ANSWER_MS): Promise<(unknown | Error)[]> {
    const settled = await Promise.allSettled(commands.map((command) => this.call(command, withinMs)));
    return settled.map((one) =>
      one.status === "fulfilled" ? one.value : one.reason instanceof Error ? one.reason : new LinkError(String(one.reason)),
    );
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#reopen);
    this.#endBeside();
    this.#redis?.disconnect();
    this.#redis = undefined;
  }

  #markHung(answer: Promise<unknown>): void {
    this.#hung += 1;
    if (this.#hung === 1) {
      this.#hungSince = Date.now();
      // Its node may have lost its power and be back with another server at the same address: TCP alone would notice after minutes.
      const redis = this.#redis;
      this.#reopen = setTimeout(() => redis !== undefined && this.#hung > 0 && this.#giveUp(redis, "timeout"), REOPEN_MS);
      if (redis !== undefined) this.#besideTimer = setTimeout(() => this.#tryBeside(redis), BESIDE_MS);
      this.#changed();
    }
    const of = this.#redis;
    const settle = (): void => {
      // What is still open on a connection that was replaced says nothing of this one.
      if (this.#redis !== of) return;
      this.#hung = Math.max(0, this.#hung - 1);
      if (this.#hung > 0) return;
      clearTimeout(this.#reopen);
      this.#endBeside();
      this.#changed();
    };
    answer.then(settle, settle);
  }

  /** One try of a second connection; whichever of the two answers first is the link from then on. A refusal is for the first one to find out. */
  #tryBeside(silent: Redis): void {
    if (this.#redis !== silent || this.#hung === 0) return;
    const fresh = newClient(this.options, BESIDE_TIMEOUT_MS);
    if (fresh === undefined) return;
    this.#beside = fresh;
    const again = (): void => {
      if (this.#beside !== fresh) return;
      this.#endBeside();
      this.#besideTimer = setTimeout(() => this.#tryBeside(silent), BESIDE_PAUSE_MS);
    };
    this.#besideTimer = setTimeout(again, patience(this.options, HANDSHAKE_MS));
    fresh.on("error", () => undefined);
    fresh.on("end", again);
    fresh.on("ready", () => {
      const answered = (error?: Error): void => {
        if (this.#beside !== fresh || (error !== undefined && !replyMeansUp(error))) return;
        this.#beside = undefined;
        this.#takeOver(fresh, silent);
      };
      fresh.call("PING").then(() => answered(), answered);
    });
    fresh.connect().catch(() => undefined);
  }

  #endBeside(): void {
    clearTimeout(this.#besideTimer);
    const beside = this.#beside;
    this.#beside = undefined;
    beside?.disconnect();
  }

  #takeOver(fresh: Redis, silent: Redis): void {
    this.#endBeside();
    clearTimeout(this.#reopen);
    this.#redis = fresh;
    this.#hung = 0;
    silent.disconnect();
    this.#watch(fresh);
    this.options.onUp?.(fresh);
    this.#changed();
  }

  #connect(): void {
    if (this.#closed) return;
    this.#hung = 0;
    const redis = newClient(this.options, CONNECT_TIMEOUT_MS);
    if (redis === undefined) {
      this.#lost("timeout");
      return;
    }
    this.#redis = redis;
    const handshake = setTimeout(() => this.#giveUp(redis, "timeout"), patience(this.options, HANDSHAKE_MS));
    this.#watch(redis, handshake);
    redis.on("ready", () => {
      // AUTH is sent in front of everything else; its refusal arrives as an error, and the first PING tells.
      const answered = (error?: Error): void => {
        clearTimeout(handshake);
        if (error === undefined || replyMeansUp(error)) this.#up(redis);
        else if (stateOf(error) === "denied") this.#giveUp(redis, "denied");
        else redis.disconnect(); // closed meanwhile, which "end" tells
      };
      redis.call("PING").then(() => answered(), answered);
    });
    redis.connect().catch(() => {
      // told by "error" and "end"
    });
  }

  /** Tells the end of the connection that is the link, and what it died of. */
  #watch(redis: Redis, handshake?: NodeJS.Timeout): void {
    let outcome: LinkState = "refused";
    redis.on("error", (error: NodeJS.ErrnoException) => {
      outcome = stateOf(error);
    });
    redis.on("end", () => {
      clearTimeout(handshake);
      if (this.#redis === redis) this.#lost(outcome);
    });
  }

  #up(redis: Redis): void {
    if (this.#redis !== redis || this.#closed) return;
    this.#attempt = 0;
    this.#everUp = true;
    this.options.onUp?.(redis);
    this.#set("up");
  }

  /** Does not wait for the other side to close: a silent one never does. */
  #giveUp(redis: Redis, outcome: LinkState): void {
    if (this.#redis !== redis) return;
    this.#redis = undefined;
    redis.disconnect();
    this.#lost(outcome);
  }

  /** The first retry after a loss is immediate: a refusal then says that the process is gone, an answer that only the connection was. */
  #lost(outcome: LinkState): void {
    if (this.#closed) return;
    const fresh = this.#state === "up";
    this.#endBeside();
    this.#redis?.disconnect();
    this.#redis = undefined;
    this.#set(fresh ? "connecting" : outcome);
    const wait = RETRY_MS[Math.min(this.#attempt, RETRY_MS.length - 1)] ?? 200;
    this.#attempt += 1;
    this.#timer = setTimeout(() => this.#connect(), wait);
  }

  #set(state: LinkState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#since = Date.now();
    this.#changed();
  }

  #changed(): void {
    if (!this.#closed) this.options.onChange();
  }

  #label(): string {
    return `${this.options.host}:${this.options.port}`;
  }
}

/** LOADING, MASTERDOWN and their like are answers of a living server. */
function replyMeansUp(error: Error): boolean {
  return /^(LOADING|MASTERDOWN|BUSY|NOREPLICAS|READONLY|MISCONF)/.test(error.message);
}

/** What Node says of a certificate that it does not accept (and EPROTO, ERR_SSL_…: of a server without TLS): not one of the group's. */
const NOT_OURS = /^(CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|ERR_TLS_CERT_|ERR_SSL_|EPROTO)/;
/** A living server may do so, one with too many clients for example; Node gives it the code of a reset. */
const CLOSED_IN_HANDSHAKE = /before secure TLS connection was established/;

/** Only a reset or a refusal says "nobody listens"; everything else may be the network. */
function stateOf(error: NodeJS.ErrnoException): LinkState {
  if (NOT_OURS.test(error.code ?? "")) return "denied";
  if (CLOSED_IN_HANDSHAKE.test(error.message)) return "timeout";
  if (error.code === "ECONNREFUSED" || error.code === "ECONNRESET") return "refused";
  if (/WRONGPASS|NOAUTH|NOPERM/.test(error.message)) return "denied";
  return "timeout";
}
