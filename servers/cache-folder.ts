import { mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** The folder that all clones on this machine share: `${XDG_CACHE_HOME:-~/.cache}/switchyard`. Made when missing. */
export function cacheFolder(): string {
  const base = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  const folder = join(base, "switchyard");
  mkdirSync(folder, { recursive: true });
  return folder;
}
