import { chmodSync, renameSync, rmSync } from "node:fs";
import { runProgram } from "./child-program.ts";

/**
 * Compiles `src/` into `dist/`. Built beside and moved into place, so that a process started meanwhile never finds
 * half of it and files of an older build never stay.
 */
export async function main(): Promise<number> {
  const beside = `dist.building-${process.pid}`;
  const old = `dist.old-${process.pid}`;
  try {
    const built = await runProgram("tsc", ["-p", "tsconfig.build.json", "--outDir", beside]);
    if (built.code !== 0) return built.code;
    chmodSync(`${beside}/main.js`, 0o755);
    moveIfThere("dist", old);
    renameSync(beside, "dist");
    return 0;
  } finally {
    rmSync(beside, { recursive: true, force: true });
    rmSync(old, { recursive: true, force: true });
  }
}

function moveIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
