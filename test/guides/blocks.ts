/** The command blocks of a guide. Pure. test/guides/README.md tells an author what can be written. */

export interface Block {
  /** where it begins, for messages */
  readonly line: number;
  readonly kind: "shown" | "hidden" | "words";
  readonly commands: string;
  /** it is tried again until it succeeds, for so long; 0: once */
  readonly waitS: number;
  /** it goes on until it is ended, as with ^C, after so long; 0: it ends by itself */
  readonly forS: number;
  /** the exit codes that are as they should be */
  readonly exits: readonly number[];
  /** why it is not run here; undefined: it is run */
  readonly notRun: string | undefined;
  /** lines that its output must have, in this order; `…` stands for anything */
  readonly expected: readonly string[];
}

interface Piece {
  readonly line: number;
  /** the word after the fence or after `<!--`, and what follows on that line */
  readonly word: string;
  readonly rest: string;
  readonly text: string;
}

const FENCE = /^\s*```(\S*)(.*)$/;
const COMMENT = /^<!-- (run|words)(.*)$/;
const ATTRIBUTE = /(wait|for|exit|not-run)=("([^"]+)"|\S+)|(\S+)/g;

/** Fences, and comments for the runner; both are closed on a line of their own. An indented fence is taken without its indentation. */
function pieces(markdown: string): Piece[] {
  const found: Piece[] = [];
  let open: { line: number; word: string; rest: string; close: (line: string) => boolean; text: string[] } | undefined;
  for (const [index, line] of markdown.split("\n").entries()) {
    if (open !== undefined) {
      if (open.close(line)) {
        found.push({ line: open.line, word: open.word, rest: open.rest, text: flush(open.text) });
        open = undefined;
      } else open.text.push(line);
      continue;
    }
    const comment = COMMENT.exec(line);
    const fence = FENCE.exec(line);
    const [, word = "", rest = ""] = comment ?? fence ?? [];
    if (comment !== null) open = { line: index + 1, word, rest, close: (one) => one.trim() === "-->", text: [] };
    else if (fence !== null) open = { line: index + 1, word, rest, close: (one) => one.trim() === "```", text: [] };
  }
  if (open !== undefined) throw new Error(`the block of line ${open.line} is not closed`);
  return found;
}

function flush(lines: readonly string[]): string {
  const indents = lines.filter((line) => line.trim() !== "").map((line) => line.length - line.trimStart().length);
  const indent = Math.min(...indents, 80);
  return lines.map((line) => line.slice(indent)).join("\n");
}

const KINDS: Readonly<Record<string, Block["kind"]>> = { sh: "shown", run: "hidden", words: "words" };

/** The blocks of a guide in their order: those of `sh`, with what a `text` block right after expects; and the author's comments `run` and `words`. */
export function blocksOf(markdown: string): Block[] {
  const all = pieces(markdown);
  return all.flatMap((piece, at): Block[] => {
    const kind = KINDS[piece.word];
    if (kind === undefined) return [];
    const next = all[at + 1];
    const expected = next?.word === "text" ? next.text.split("\n").filter((line) => line.trim() !== "") : [];
    const given = attributes(piece);
    return [
      {
        line: piece.line,
        kind,
        commands: piece.text,
        waitS: Number(given.get("wait") ?? 0),
        forS: Number(given.get("for") ?? 0),
        exits: (given.get("exit") ?? "0").split(",").map(Number),
        notRun: given.get("not-run"),
        expected,
      },
    ];
  });
}

function attributes({ line, rest }: Piece): ReadonlyMap<string, string> {
  const given = new Map<string, string>();
  for (const [, name, value = "", quoted, unknown] of rest.matchAll(ATTRIBUTE)) {
    if (name === undefined) throw new Error(`line ${line}: "${unknown}" means nothing here`);
    given.set(name, quoted ?? value);
  }
  for (const name of ["wait", "for"])
    if (given.has(name) && !(Number(given.get(name)) > 0)) throw new Error(`line ${line}: ${name}=${given.get(name)}`);
  return given;
}

/** The languages of blocks that a person would type: `sh` is run, and the others would be by nobody. */
export function unrunLanguages(markdown: string): string[] {
  const typed = new Set(["console", "bash", "shell", "zsh", ""]);
  return pieces(markdown).flatMap(({ word, line }) => (typed.has(word) ? [`line ${line}: ${word || "no language"}`] : []));
}

/** What a reader would put in for a word such as GROUP: every whole word of it. */
export function withWords(commands: string, words: ReadonlyMap<string, string>): string {
  return commands.replaceAll(/\b[A-Z][A-Z_]+\b/g, (word) => words.get(word) ?? word);
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
