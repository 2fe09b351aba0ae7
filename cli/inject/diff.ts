/** The difference of two texts, line by line, with a few lines around each change. Pure. */

export interface DiffLine {
  readonly mark: " " | "+" | "-" | "@";
  readonly text: string;
}

const AROUND = 2;

/** By the longest common subsequence: texts of some hundred lines. */
export function diffLines(before: string, after: string): DiffLine[] {
  const [a, b] = [before.split("\n"), after.split("\n")];
  const length = commonLengths(a, b);
  const all: DiffLine[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      all.push({ mark: " ", text: a[i] ?? "" });
      i += 1;
      j += 1;
    } else if (j >= b.length || (i < a.length && (length[i + 1]?.[j] ?? 0) >= (length[i]?.[j + 1] ?? 0))) {
      all.push({ mark: "-", text: a[i] ?? "" });
      i += 1;
    } else {
      all.push({ mark: "+", text: b[j] ?? "" });
      j += 1;
    }
  }
  return excerpt(all);
}

/** length[i][j]: of the longest common subsequence of a from i and b from j. */
function commonLengths(a: readonly string[], b: readonly string[]): number[][] {
  const length = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  for (let i = a.length - 1; i >= 0; i -= 1) {
    const [row, below] = [length[i] ?? [], length[i + 1] ?? []];
    for (let j = b.length - 1; j >= 0; j -= 1) {
      row[j] = a[i] === b[j] ? (below[j + 1] ?? 0) + 1 : Math.max(below[j] ?? 0, row[j + 1] ?? 0);
    }
  }
  return length;
}

/** Long stretches without a change become one line. */
function excerpt(all: readonly DiffLine[]): DiffLine[] {
  const near = (at: number): boolean => all.slice(Math.max(0, at - AROUND), at + AROUND + 1).some(({ mark }) => mark !== " ");
  const found: DiffLine[] = [];
  for (const [at, line] of all.entries()) {
    if (near(at)) found.push(line);
    else if (found.at(-1)?.mark !== "@") found.push({ mark: "@", text: "…" });
  }
  return found.some(({ mark }) => mark === "+" || mark === "-") ? found : [];
}
