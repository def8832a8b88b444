import { accessSync, constants, existsSync, renameSync, statSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { cacheFolder } from "./cache-folder.ts";
import { cachedTree, type DebianTree, fetchTree, isDebian } from "./debian-tree.ts";
import { SERVERS } from "./package-sets.ts";
import { runCommand } from "./run-command.ts";
import { SetupError } from "./setup-error.ts";

/** A program and the arguments that must come first. */
export interface Command {
  readonly command: string;
  readonly args: readonly string[];
}

export type ToolName = "mysql" | "mysqldump" | "mysqlbinlog" | "mysqladmin" | "mysqlslap";

/** Where the real servers of this machine are. */
export interface Programs {
  /** For people: where they were found. */
  readonly origin: string;
  /** mysqld with the arguments that its place needs, for initialising as well as for running. */
  readonly mysqld: Command;
  /** Arguments that a running mysqld needs besides. */
  readonly mysqldRunArgs: readonly string[];
  /** The binary itself; its size and time tell one build from another. */
  readonly mysqldFile: string;
  tool(name: ToolName): Command;
  /** `undefined` where no etcd was found; only some tests need one. */
  readonly etcd: Command | undefined;
}

const HOW_TO_HELP = [
  "Real MySQL servers are needed, and none could be had. Any one of these helps:",
  "  - set SWITCHYARD_MYSQLD to a mysqld binary (8.0 or newer), and SWITCHYARD_ETCD to an etcd binary",
  "  - on Debian, let `apt-get update` reach a mirror: the servers are then fetched into the cache folder",
  "  - put mysqld (8.0 or newer) and etcd on the PATH",
].join("\n");

let found: Programs | undefined;

/**
 * Finds the servers, in this order: `SWITCHYARD_MYSQLD` and `SWITCHYARD_ETCD`; the cache; Debian's packages, which are
 * then fetched into the cache; the PATH.
 *
 * @throws {SetupError} naming all of these when there is nothing.
 */
export async function providePrograms(say: (line: string) => void): Promise<Programs> {
  found ??= fromEnvironment() ?? fromTree(cachedTree(SERVERS));
  if (found !== undefined) return found;
  let refusal = "this machine is not Debian";
  if (isDebian()) {
    try {
      found = fromTree(await fetchTree(SERVERS, say));
      if (found !== undefined) return found;
    } catch (error) {
      refusal = error instanceof Error ? error.message : String(error);
    }
  }
  found = await fromPath();
  if (found === undefined) throw new SetupError(`${HOW_TO_HELP}\nFetching them failed: ${refusal}`);
  return found;
}

/** The path and first arguments of one of MySQL's own programs. The servers must have been provided before. */
export function mysqlTool(name: ToolName): Command {
  found ??= fromEnvironment() ?? fromTree(cachedTree(SERVERS));
  if (found === undefined) throw new SetupError("the servers have not been provided yet");
  return found.tool(name);
}

/**
 * The program as a person types it: its name where it is on the PATH, else a short script in the cache that starts it
 * with all that it needs. Its last arguments come from the person.
 */
export function typedTool(name: ToolName): string {
  if (onPath(name) !== undefined) return name;
  const { command, args } = mysqlTool(name);
  const script = join(cacheFolder(), name);
  const quoted = [command, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  const beside = `${script}.${process.pid}`;
  writeFileSync(beside, `#!/bin/sh\nexec ${quoted} "$@"\n`, { mode: 0o755 });
  renameSync(beside, script);
  return script;
}

function fromEnvironment(): Programs | undefined {
  const mysqld = process.env["SWITCHYARD_MYSQLD"];
  if (!mysqld) return undefined;
  if (!isExecutable(mysqld)) throw new SetupError(`SWITCHYARD_MYSQLD is ${mysqld}, which is not a program`);
  const etcd = process.env["SWITCHYARD_ETCD"] || onPath("etcd");
  return plainPrograms("SWITCHYARD_MYSQLD", mysqld, etcd);
}

async function fromPath(): Promise<Programs | undefined> {
  const mysqld = onPath("mysqld");
  if (mysqld === undefined) return undefined;
  const version = await runCommand(mysqld, ["--no-defaults", "--version"]);
  const major = Number(/Ver (\d+)\./.exec(version)?.[1] ?? 0);
  if (major < 8 || /mariadb/i.test(version)) return undefined;
  return plainPrograms("the PATH", mysqld, process.env["SWITCHYARD_ETCD"] || onPath("etcd"));
}

function plainPrograms(origin: string, mysqld: string, etcd: string | undefined): Programs {
  return {
    origin: `${origin} (${mysqld})`,
    mysqld: { command: mysqld, args: ["--no-defaults"] },
    mysqldRunArgs: [],
    mysqldFile: mysqld,
    tool: (name) => {
      const beside = join(dirname(mysqld), name);
      const place = isExecutable(beside) ? beside : onPath(name);
      if (place === undefined) throw new SetupError(`${name} is neither beside ${mysqld} nor on the PATH`);
      return { command: place, args: ["--no-defaults"] };
    },
    etcd: etcd === undefined ? undefined : { command: etcd, args: [] },
  };
}

function fromTree(tree: DebianTree | undefined): Programs | undefined {
  if (tree === undefined) return undefined;
  const usr = join(tree.root, "usr");
  const load = (program: string, ...args: string[]): Command => ({
    command: tree.loader,
    args: ["--library-path", tree.libraryPath, join(usr, program), ...args],
  });
  const mysqld = join(usr, "sbin/mysqld");
  const characterSets = `--character-sets-dir=${join(usr, "share/mysql/charsets")}`;
  const messages = `--lc-messages-dir=${join(usr, "share/mysql")}`;
  return {
    origin: `the cache (${tree.root})`,
    mysqld: load("sbin/mysqld", "--no-defaults", `--basedir=${usr}`, messages, "--secure-file-priv="),
    mysqldRunArgs: [`--plugin-dir=${join(usr, "lib/mysql/plugin")}`, characterSets],
    mysqldFile: mysqld,
    // mysqlslap alone does not know where character sets are.
    tool: (name) => load(`bin/${name}`, "--no-defaults", ...(name === "mysqlslap" ? [] : [characterSets])),
    etcd: existsSync(join(usr, "bin/etcd")) ? load("bin/etcd") : undefined,
  };
}

/** Where the PATH has this program, if it does. */
export function onPath(name: string): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
