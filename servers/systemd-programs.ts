import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cachedTree, type DebianTree, fetchTree, isDebian } from "./debian-tree.ts";
import { SYSTEMD } from "./package-sets.ts";
import { onPath } from "./programs.ts";
import { SetupError } from "./setup-error.ts";

const NAMES = ["systemd-analyze", "systemd-notify"] as const;

/**
 * A folder with systemd's tools, to be put first on a PATH: those of this machine, else those of Debian's packages,
 * which are fetched into the cache (some 10 MB, once per machine). `folder` is where the scripts that start these go.
 *
 * @throws {SetupError} when there are neither.
 */
export async function provideSystemd(folder: string, say: (line: string) => void): Promise<string> {
  if (isDebian()) return scripts(folder, cachedTree(SYSTEMD) ?? (await fetchTree(SYSTEMD, say)));
  const place = onPath("systemd-notify");
  if (place === undefined) throw new SetupError("systemd's tools are neither on the PATH nor in Debian's packages");
  return join(place, "..");
}

function scripts(folder: string, tree: DebianTree): string {
  mkdirSync(folder, { recursive: true });
  const libraries = `${tree.libraryPath}:${join(tree.libraries, "systemd")}`;
  for (const name of NAMES) {
    const line = [tree.loader, "--library-path", libraries, join(tree.root, "usr/bin", name)].map(quoted).join(" ");
    writeFileSync(join(folder, name), `#!/bin/sh\nexec ${line} "$@"\n`, { mode: 0o755 });
  }
  return folder;
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
