/** What a client program says on stdout, one JSON object a line (README.md). */

/** A write that the server acknowledged. Times are ms since 1970, with fractions, of a clock that never jumps back. */
export interface Ack {
  readonly ack: string;
  readonly writer: number;
  readonly from: number;
  readonly to: number;
}

/** A write that the application saw fail: `error` is the error reply's first word, else the library's class or code. */
export interface Failure {
  readonly error: string;
  readonly text: string;
  readonly writer: number;
  readonly from: number;
  readonly to: number;
}

/** The writers have begun; or: the library says that it has a new connection (not all do). */
export type Note = { readonly ready: true } | { readonly connected: true };

export type Line = Ack | Failure | Note;

/** The line's meaning; undefined for what is not of the contract (warnings of a runtime, for instance). */
export function parseLine(text: string): Line | undefined {
  if (!text.startsWith("{")) return undefined;
  let line: Partial<Record<"ack" | "error" | "text" | "writer" | "from" | "to" | "ready" | "connected", unknown>>;
  try {
    line = JSON.parse(text) as typeof line;
  } catch {
    return undefined;
  }
  if (line.ready === true) return { ready: true };
  if (line.connected === true) return { connected: true };
  const { writer, from, to } = line;
  if (typeof writer !== "number" || typeof from !== "number" || typeof to !== "number") return undefined;
  if (typeof line.ack === "string") return { ack: line.ack, writer, from, to };
  if (typeof line.error === "string") return { error: line.error, text: String(line.text ?? ""), writer, from, to };
  return undefined;
}

export const isAck = (line: Line): line is Ack => "ack" in line;
export const isFailure = (line: Line): line is Failure => "error" in line;
