import { closeSync, fstatSync, ftruncateSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "./programs.ts";

const FILLER = "filler";

/**
 * Has `command` see a file system of its own at `folder`, in memory and so large. Nobody else sees it there, and it goes with
 * the process. Root mounts it in a mount namespace, anybody else in a user namespace where he is root: mysqld must then be told
 * that it may be.
 */
export function onSmallDisk(command: Command, folder: string, mebibytes: number): Command {
  mkdirSync(folder, { recursive: true });
  const own = process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"];
  const mount = `mount -t tmpfs -o size=${mebibytes}m tmpfs "$0" || { echo "a small disk could not be mounted: this needs the right to mount, or user namespaces"; exit 1; }; exec "$@"`;
  return {
    command: "unshare",
    args: [...own, "--mount", "sh", "-c", mount, folder, command.command, ...command.args],
  };
}

/** The disk of {@link onSmallDisk} of a process that runs, from outside of it. */
export class SmallDisk {
  readonly #folder: string;

  constructor(pid: number, folder: string) {
    this.#folder = `/proc/${pid}/root${folder}`;
  }

  /** Takes all room that is left, but for so much. */
  fill(leaveMebibytes = 0): void {
    const file = openSync(join(this.#folder, FILLER), "a");
    try {
      for (const bytes of [1 << 20, 1 << 12]) {
        const block = Buffer.alloc(bytes);
        // A write that finds less room than it needs is cut short, the next one is refused.
        while (writeSome(file, block));
      }
      const { size } = fstatSync(file);
      ftruncateSync(file, Math.max(0, size - leaveMebibytes * 2 ** 20));
    } finally {
      closeSync(file);
    }
  }

  free(): void {
    rmSync(join(this.#folder, FILLER), { force: true });
  }
}

function writeSome(file: number, block: Buffer): boolean {
  try {
    return writeSync(file, block) === block.length;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOSPC") return false;
    throw error;
  }
}
