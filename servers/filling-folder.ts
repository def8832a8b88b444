import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { isAlive } from "./lock-file.ts";

/**
 * Makes an empty folder beside `place`, to be filled and then renamed to it, so that `place` is never there half full.
 * What processes that died while filling have left behind is removed.
 */
export function fillingFolder(place: string): string {
  const prefix = `${basename(place)}.filling-`;
  mkdirSync(dirname(place), { recursive: true });
  for (const name of readdirSync(dirname(place))) {
    const pid = Number(name.slice(prefix.length));
    if (!name.startsWith(prefix) || (pid !== process.pid && isAlive(pid))) continue;
    rmSync(join(dirname(place), name), { recursive: true, force: true });
  }
  const folder = `${place}.filling-${process.pid}`;
  mkdirSync(folder);
  return folder;
}
