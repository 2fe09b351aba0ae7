/** The command blocks of a guide. Pure. */

export interface Block {
  /** where it begins, for messages: the line of its fence */
  readonly line: number;
  readonly commands: string;
  /** it is tried again until it succeeds, for so long */
  readonly waitS: number;
  /** lines that its output must have, in this order; `…` stands for anything */
  readonly expected: readonly string[];
}

interface Fence {
  readonly line: number;
  readonly words: readonly string[];
  readonly text: string;
}

const FENCE = /^```(.*)$/;

function fences(markdown: string): Fence[] {
  const found: Fence[] = [];
  let open: { line: number; words: string[]; text: string[] } | undefined;
  for (const [index, line] of markdown.split("\n").entries()) {
    const fence = FENCE.exec(line);
    if (fence === null) open?.text.push(line);
    else if (open === undefined) open = { line: index + 1, words: (fence[1] ?? "").split(/\s+/), text: [] };
    else {
      found.push({ line: open.line, words: open.words, text: open.text.join("\n") });
      open = undefined;
    }
  }
  if (open !== undefined) throw new Error(`the block of line ${open.line} is not closed`);
  return found;
}

/** What is run: every block of `sh`, with what a `text` block right after it expects. A `console` block is only shown. */
export function blocksOf(markdown: string): Block[] {
  const all = fences(markdown);
  return all.flatMap((fence, at): Block[] => {
    if (fence.words[0] !== "sh") return [];
    const next = all[at + 1];
    const follows = next?.words[0] === "text" ? next.text.split("\n").filter((line) => line.trim() !== "") : [];
    const wait = fence.words.find((word) => word.startsWith("wait="));
    return [{ line: fence.line, commands: fence.text, waitS: Number(wait?.slice(5) ?? 0), expected: follows }];
  });
}

/** The first expected line that the output lacks; undefined when all are there, in order. */
export function missingLine(output: string, expected: readonly string[]): string | undefined {
  const lines = output.split("\n");
  let from = 0;
  for (const wanted of expected) {
    const pattern = wanted
      .trim()
      .split("…")
      .map((part) =>
        part
          .trim()
          .replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")
          .replaceAll(/\s+/g, "\\s+"),
      )
      .join(".*");
    const at = lines.slice(from).findIndex((line) => new RegExp(pattern).test(line));
    if (at < 0) return wanted;
    from += at + 1;
  }
  return undefined;
}
