import { join } from "node:path";
import { cachedTree, type DebianTree, fetchTree, isDebian } from "./debian-tree.ts";
import { PEERS } from "./package-sets.ts";
import { type Command, onPath } from "./programs.ts";
import { SetupError } from "./setup-error.ts";

export type PeerProgramName = "haproxy" | "mydumper" | "myloader" | "mysqlrouter" | "sysbench";

/** A program with its first arguments and the environment without which it does not find its own files. */
export interface PeerCommand extends Command {
  readonly env: Readonly<Record<string, string>>;
}

/** The programs that benches compare with, or that make their load. */
export interface PeerPrograms {
  /** For people: where they were found. */
  readonly origin: string;
  /** @throws {SetupError} when this machine has no such program. */
  program(name: PeerProgramName): PeerCommand;
  /** Where MySQL Router's plugins lie, for `plugin_folder` of its configuration; `undefined` where it knows by itself. */
  readonly routerPluginFolder: string | undefined;
}

let found: PeerPrograms | undefined;

/**
 * Finds the peers: in the cache, in Debian's packages, which are then fetched into the cache, and elsewhere than on
 * Debian on the PATH.
 *
 * @throws {SetupError} when Debian's packages cannot be had.
 */
export async function providePeers(say: (line: string) => void): Promise<PeerPrograms> {
  found ??= isDebian() ? fromTree(cachedTree(PEERS) ?? (await fetchTree(PEERS, say))) : FROM_PATH;
  return found;
}

const FROM_PATH: PeerPrograms = {
  origin: "the PATH",
  program: (name) => {
    const place = onPath(name);
    if (place === undefined) throw new SetupError(`${name} is not on the PATH, and this machine is not Debian`);
    return { command: place, args: [], env: {} };
  },
  routerPluginFolder: undefined,
};

const PLACES: Readonly<Record<PeerProgramName, string>> = {
  haproxy: "usr/sbin/haproxy",
  mydumper: "usr/bin/mydumper",
  myloader: "usr/bin/myloader",
  mysqlrouter: "usr/bin/mysqlrouter",
  sysbench: "usr/bin/sysbench",
};

function fromTree(tree: DebianTree): PeerPrograms {
  const lib = join(tree.root, "usr/lib");
  const router = [join(lib, "mysql-router"), join(lib, "mysqlrouter"), join(lib, "mysqlrouter/plugin")];
  const env = {
    LUA_PATH: `${join(tree.root, "usr/share/sysbench")}/?.lua`,
    // The client library that sysbench and mydumper are built on loads its authentication methods from here.
    MARIADB_PLUGIN_DIR: join(tree.libraries, "libmariadb3/plugin"),
  };
  return {
    origin: `the cache (${tree.root})`,
    program: (name) => {
      const libraryPath = name === "mysqlrouter" ? [tree.libraryPath, ...router].join(":") : tree.libraryPath;
      return { command: tree.loader, args: ["--library-path", libraryPath, join(tree.root, PLACES[name])], env };
    },
    routerPluginFolder: join(lib, "mysqlrouter/plugin"),
  };
}
