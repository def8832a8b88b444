import { join } from "node:path";
import { cachedTree, type DebianTree, fetchTree, isDebian } from "./debian-tree.ts";
import { PROMETHEUS } from "./package-sets.ts";
import { type Command, onPath } from "./programs.ts";
import { SetupError } from "./setup-error.ts";

/**
 * Prometheus's own checker of metrics and rules: `SWITCHYARD_PROMTOOL` if set; the cache; Debian's package, which is
 * then fetched into the cache (some 30 MB, once per machine); the PATH.
 *
 * @throws {SetupError} naming these when there is none.
 */
export async function providePromtool(say: (line: string) => void): Promise<Command> {
  const given = process.env["SWITCHYARD_PROMTOOL"];
  if (given) return { command: given, args: [] };
  const cached = cachedTree(PROMETHEUS);
  if (cached !== undefined) return inTree(cached);
  if (isDebian()) return inTree(await fetchTree(PROMETHEUS, say));
  const command = onPath("promtool");
  if (command !== undefined) return { command, args: [] };
  throw new SetupError(
    "promtool is needed: set SWITCHYARD_PROMTOOL, put it on the PATH, or let apt reach Debian's packages",
  );
}

function inTree({ root, loader, libraryPath }: DebianTree): Command {
  return { command: loader, args: ["--library-path", libraryPath, join(root, "usr/bin/promtool")] };
}
