import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../process.ts";

/** Where the default lies in the server's table of settings, counted from the setting's name: name, alias, flags, five functions, address. */
const DEFAULT_OFFSET = 72;
const RELATIVE = new Set([8n, 1027n]); // R_X86_64_RELATIVE and R_AARCH64_RELATIVE
const RELA_SECTION = 4;
const RELA_BYTES = 24;

/**
 * Turns the default of `protected-mode` off inside a server's program. The official images are compiled that way, because a
 * container's clients always come from other addresses; Debian's packages are not. A configuration that says "yes" still wins.
 */
export function patchProtectedMode(program: Buffer): Buffer {
  const setting = findSetting(program, "protected-mode");
  if (program.readInt32LE(setting + DEFAULT_OFFSET) !== 1)
    throw new Error("the default of protected-mode is not where it was expected");
  const patched = Buffer.from(program);
  patched.writeInt32LE(0, setting + DEFAULT_OFFSET);
  return patched;
}

/** The place, in the file, of a setting's entry: the pointer that the loader will aim at the setting's name. */
function findSetting(program: Buffer, name: string): number {
  const sections = readSections(program);
  const inFile = (address: number): number => {
    const section = sections.find((one) => one.address !== 0 && address >= one.address && address < one.address + one.size);
    if (section === undefined) throw new Error(`no section at ${address}`);
    return section.offset + address - section.address;
  };
  for (const section of sections.filter(({ type }) => type === RELA_SECTION)) {
    for (let entry = section.offset; entry < section.offset + section.size; entry += RELA_BYTES) {
      if (!RELATIVE.has(program.readBigUInt64LE(entry + 8) & 0xffffffffn)) continue;
      const target = Number(program.readBigInt64LE(entry + 16));
      const text = Buffer.from(`${name}\0`);
      if (!sections.some((one) => one.address !== 0 && target >= one.address && target < one.address + one.size)) continue;
      const start = inFile(target);
      if (program.subarray(start, start + text.length).equals(text)) return inFile(Number(program.readBigUInt64LE(entry)));
    }
  }
  throw new Error(`no setting ${name} in the server's program`);
}

type Section = { type: number; address: number; offset: number; size: number };

function readSections(program: Buffer): Section[] {
  const start = Number(program.readBigUInt64LE(40));
  const size = program.readUInt16LE(58);
  return Array.from({ length: program.readUInt16LE(60) }, (_, index) => {
    const header = start + index * size;
    const number = (offset: number): number => Number(program.readBigUInt64LE(header + offset));
    return { type: program.readUInt32LE(header + 4), address: number(16), offset: number(24), size: number(32) };
  });
}

/** Patches the server below a root folder and asks the result, running, whether it worked. */
export async function disableProtectedMode(root: string, flavour: string, log: string): Promise<void> {
  const program = join(root, "usr/bin", `${flavour}-check-rdb`);
  writeFileSync(program, patchProtectedMode(readFileSync(program)));
  const ask = `${flavour}-server --port 0 --unixsocket /tmp/ask --save '' >/dev/null &
    for try in 1 2 3 4 5 6 7 8 9 10; do
      answer=$(${flavour}-cli -s /tmp/ask config get protected-mode 2>&1) && break
      sleep 0.2
    done
    ${flavour}-cli -s /tmp/ask shutdown nosave
    wait
    echo "$answer"`;
  const { stdout } = await run("chroot", [root, "sh", "-c", ask], { log, timeoutMs: 30_000 });
  if (stdout.trim().split("\n").at(-1) !== "no") throw new Error(`protected-mode is still on in ${flavour}: ${stdout}`);
}
