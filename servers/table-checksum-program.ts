import { join } from "node:path";
import { perlIn } from "./client-runtimes.ts";
import { cachedTree, type DebianTree, fetchTree, isDebian } from "./debian-tree.ts";
import { TABLE_CHECKSUM } from "./package-sets.ts";
import type { PeerCommand } from "./peer-programs.ts";
import { onPath } from "./programs.ts";
import { SetupError } from "./setup-error.ts";

/**
 * `pt-table-checksum` of Percona Toolkit: the cache; Debian's package, which is then fetched into the cache with its
 * Perl (65 MB, once per machine); elsewhere than on Debian the PATH.
 *
 * @throws {SetupError} naming what is missing.
 */
export async function provideTableChecksum(say: (line: string) => void): Promise<PeerCommand> {
  if (isDebian()) return inTree(cachedTree(TABLE_CHECKSUM) ?? (await fetchTree(TABLE_CHECKSUM, say)));
  const command = onPath("pt-table-checksum");
  if (command !== undefined) return { command, args: [], env: {} };
  throw new SetupError("pt-table-checksum is not on the PATH, and this machine is not Debian");
}

function inTree(tree: DebianTree): PeerCommand {
  const { command, args, env } = perlIn(tree);
  return { command, args: [...args, join(tree.root, "usr/bin/pt-table-checksum")], env };
}
