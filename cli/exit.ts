/** How the commands for people end. */

/** Exit codes for scripts: the same in every command. `findings` and `broken` are doctor's. */
export const EXIT = { ok: 0, findings: 1, broken: 2, failed: 3, refused: 4 } as const;

/** Something that a person is told in a sentence and without a stack: what is wrong, with which object, and what to do. */
export class Problem extends Error {
  readonly code: number;

  constructor(message: string, code: number = EXIT.failed) {
    super(message);
    this.code = code;
  }
}

/** Runs a command's work; whatever is thrown ends as one line on standard error and an exit code. */
export async function ending(work: () => Promise<number | undefined>): Promise<void> {
  try {
    process.exitCode = (await work()) ?? EXIT.ok;
  } catch (error) {
    process.stderr.write(`redis-ha: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = error instanceof Problem ? error.code : EXIT.failed;
  }
}
