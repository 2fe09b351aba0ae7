/**
 * Server-sent events for the readers of the page. The views are looked at a few times a second while somebody reads, and only then; what is sent is what has changed.
 * The page is never a reason for the handlers to do anything: a slow reader is dropped, too many are refused.
 */
import type { GroupView } from "../../handlers/group.ts";
import type { GroupId } from "../../model/facts.ts";
import { MESSAGE, type Replica, TICK_MS } from "../wire.ts";
import type { News } from "./news.ts";
import { detailOf, rowOf } from "./summary.ts";

/** What the page shows, wherever it comes from. */
export interface PageSource {
  readonly replica: () => Replica;
  readonly groups: () => readonly GroupView[];
  readonly news: News;
  /** told of a mistake of the page's own, each once: it must never reach the handlers */
  readonly failed: (error: unknown) => void;
}

/** Where a reader's bytes go. */
export interface Sink {
  write(text: string): void;
  /** bytes that the reader has not taken yet */
  readonly pending: number;
  /** breaks the connection */
  drop(): void;
}

export interface Streams {
  /** False: there are too many already. Call the returned function when the reader has gone. */
  add(sink: Sink, group: GroupId | undefined): (() => void) | undefined;
  /** Looks at the views now and tells what has changed; done by itself while there are readers. */
  look(): void;
  close(): void;
}

const LOOK_MS = 100;
const OVERVIEW_MS = 1000;
const MOST_READERS = 64;
const MOST_PENDING = 1024 * 1024;

interface Reader {
  readonly sink: Sink;
  readonly group: GroupId | undefined;
  overview: string;
  overviewAt: number;
  detail: string;
  news: number;
  tickAt: number;
}

const message = (name: string, data: string): string => `event: ${name}\ndata: ${data}\n\n`;
const same = (one: GroupId, other: GroupId): boolean => one.namespace === other.namespace && one.cluster === other.cluster;

export function createStreams(source: PageSource, now: () => number = Date.now): Streams {
  const readers = new Set<Reader>();
  let timer: NodeJS.Timeout | undefined;

  const known = new Set<string>();

  function look(): void {
    try {
      lookNow();
    } catch (error) {
      const text = String(error);
      if (!known.has(text)) source.failed(error);
      known.add(text);
    }
  }

  function lookNow(): void {
    const at = now();
    const views = source.groups();
    // Once for all readers; JSON leaves no difference that the page could see.
    const overview = JSON.stringify({ replica: source.replica(), groups: views.map((view) => rowOf(view, at)).sort(byName) });
    for (const reader of readers) {
      if (reader.sink.pending > MOST_PENDING) {
        reader.sink.drop();
        readers.delete(reader);
      } else tell(reader, overview, views, at);
    }
  }

  function tell(reader: Reader, overview: string, views: readonly GroupView[], at: number): void {
    const parts: string[] = [];
    if (overview !== reader.overview && at - reader.overviewAt >= OVERVIEW_MS) {
      reader.overview = overview;
      reader.overviewAt = at;
      parts.push(message(MESSAGE.overview, `{"at":${at},${overview.slice(1)}`));
    }
    if (reader.group !== undefined) {
      const wanted = reader.group;
      const view = views.find(({ group }) => same(group, wanted));
      const detail = JSON.stringify({ ...wanted, group: view === undefined ? null : detailOf(view, at) });
      if (detail !== reader.detail) {
        reader.detail = detail;
        parts.push(message(MESSAGE.group, detail));
      }
    }
    if (source.news.newest > reader.news) {
      parts.push(message(MESSAGE.news, JSON.stringify(source.news.after(reader.news))));
      reader.news = source.news.newest;
    }
    if (at - reader.tickAt >= TICK_MS) {
      reader.tickAt = at;
      parts.push(message(MESSAGE.tick, JSON.stringify({ at })));
    }
    if (parts.length > 0) reader.sink.write(parts.join(""));
  }

  return {
    add: (sink, group) => {
      if (readers.size >= MOST_READERS) return undefined;
      const never = Number.NEGATIVE_INFINITY;
      const reader: Reader = { sink, group, overview: "", overviewAt: never, detail: "", news: 0, tickAt: never };
      readers.add(reader);
      timer ??= setInterval(look, LOOK_MS);
      look();
      return () => {
        readers.delete(reader);
        if (readers.size > 0) return;
        clearInterval(timer);
        timer = undefined;
      };
    },
    look,
    close: () => {
      clearInterval(timer);
      timer = undefined;
      for (const { sink } of readers) sink.drop();
      readers.clear();
    },
  };
}

function byName(a: GroupId, b: GroupId): number {
  if (a.namespace !== b.namespace) return a.namespace < b.namespace ? -1 : 1;
  return a.cluster < b.cluster ? -1 : 1;
}
