/** The stream of server-sent events. A browser tries again by itself, but not after an error page, and it does not notice a silent one: both are done here. */
import { type Connection, isLive } from "../model/freshness.ts";
import { type GroupMessage, MESSAGE, type NewsItem, type Overview, type Tick } from "../wire.ts";

export interface Heard {
  overview(message: Overview): void;
  group(message: GroupMessage): void;
  news(items: readonly NewsItem[]): void;
  tick(message: Tick): void;
  /** the connection's state may have changed */
  changed(): void;
}

const RETRY_MS = 1500;

export class Stream {
  readonly #heard: Heard;
  #source: EventSource | undefined;
  #group: string | undefined;
  #state: Connection = { state: "connecting", heardAt: undefined };
  #openedAt = 0;
  #retry: number | undefined;

  constructor(heard: Heard) {
    this.#heard = heard;
  }

  get connection(): Connection {
    return this.#state;
  }

  /** @param group `namespace/cluster`, or undefined for the overview alone */
  open(group: string | undefined): void {
    this.#group = group;
    this.#connect();
  }

  /** Call now and then: a stream that fell silent is opened anew. */
  check(): void {
    if (this.#state.state !== "open" || isLive(this.#state, Date.now()) || Date.now() - this.#openedAt < RETRY_MS * 2) return;
    this.#connect();
  }

  #connect(): void {
    clearTimeout(this.#retry);
    this.#source?.close();
    this.#openedAt = Date.now();
    const query = this.#group === undefined ? "" : `?group=${encodeURIComponent(this.#group)}`;
    const source = new EventSource(`page/stream${query}`);
    this.#source = source;
    const on = <T>(name: string, tell: (message: T) => void): void =>
      source.addEventListener(name, (event: MessageEvent<string>) => {
        this.#state = { state: "open", heardAt: Date.now() };
        tell(JSON.parse(event.data) as T);
      });
    on<Overview>(MESSAGE.overview, (message) => this.#heard.overview(message));
    on<GroupMessage>(MESSAGE.group, (message) => this.#heard.group(message));
    on<readonly NewsItem[]>(MESSAGE.news, (items) => this.#heard.news(items));
    on<Tick>(MESSAGE.tick, (message) => this.#heard.tick(message));
    on(MESSAGE.full, () => {
      this.#state = { ...this.#state, state: "full" };
      this.#again();
    });
    source.addEventListener("error", () => this.#again());
  }

  #again(): void {
    this.#source?.close();
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#connect(), RETRY_MS);
    this.#heard.changed();
  }
}
