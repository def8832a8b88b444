import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "./cache-folder.ts";
import { cachedTree, type DebianTree, fetchTree, isDebian } from "./debian-tree.ts";
import { GO_CLIENT, JAVA_CLIENT, type PackageSet, SCRIPTED_CLIENTS } from "./package-sets.ts";
import type { PeerCommand } from "./peer-programs.ts";
import { onPath } from "./programs.ts";
import { SetupError } from "./setup-error.ts";

/** What runs client programs in other languages, each with its drivers for MySQL. */
export type ClientRuntimeName = "ecj" | "go" | "java" | "perl" | "php" | "python3" | "ruby";

interface Runtime {
  readonly set: PackageSet;
  readonly inTree: (tree: DebianTree) => PeerCommand;
  /** What the machine's own program needs besides, where it is taken from the PATH. */
  readonly onPath: PeerCommand;
}

/** Go takes its sources from the tree alone, and asks nobody on the network for more. */
const GO_OFFLINE = { GO111MODULE: "off", GOTOOLCHAIN: "local", CGO_ENABLED: "0", GOFLAGS: "" };

const RUNTIMES: Readonly<Record<ClientRuntimeName, Runtime>> = {
  python3: {
    set: SCRIPTED_CLIENTS,
    inTree: (tree) =>
      loaded(tree, "usr/bin/python3", [], {
        PYTHONHOME: join(tree.root, "usr"),
        PYTHONPATH: join(tree.root, "usr/lib/python3/dist-packages"),
        PYTHONDONTWRITEBYTECODE: "1",
      }),
    onPath: plain("python3"),
  },
  perl: {
    set: SCRIPTED_CLIENTS,
    inTree: perlIn,
    onPath: plain("perl"),
  },
  php: {
    set: SCRIPTED_CLIENTS,
    inTree: (tree) => {
      const extensions = only(foldersIn(join(tree.root, "usr/lib/php"), /^\d{8}$/), "PHP's extensions");
      const load = ["mysqlnd", "mysqli", "pdo", "pdo_mysql"].flatMap((name) => ["-d", `extension=${name}`]);
      const name = only(namesIn(join(tree.root, "usr/bin"), /^php\d+\.\d+$/), "PHP");
      return loaded(
        tree,
        `usr/bin/${name}`,
        ["-n", "-d", "display_errors=stderr", "-d", `extension_dir=${extensions}`, ...load],
        {},
      );
    },
    onPath: plain("php"),
  },
  ruby: {
    set: SCRIPTED_CLIENTS,
    inTree: (tree) => {
      const homes = [join(tree.root, "usr/lib/ruby"), join(tree.libraries, "ruby")];
      const folders = homes.flatMap((home) => [
        join(home, "vendor_ruby"),
        ...foldersIn(join(home, "vendor_ruby"), /^\d/),
        ...foldersIn(home, /^\d/),
      ]);
      return loaded(tree, "usr/bin/ruby", ["--disable-gems"], { RUBYLIB: folders.join(":") });
    },
    onPath: plain("ruby"),
  },
  go: {
    set: GO_CLIENT,
    // Go's own programs are linked statically: they need no loader, and could not start each other through one.
    inTree: ({ root }) => {
      const home = only(foldersIn(join(root, "usr/lib"), /^go-/), "Go");
      return {
        command: join(home, "bin/go"),
        args: [],
        env: { ...GO_OFFLINE, GOROOT: home, GOPATH: join(root, "usr/share/gocode"), GOCACHE: compiledFolder("go") },
      };
    },
    onPath: { ...plain("go"), env: { ...GO_OFFLINE, GOPATH: "/usr/share/gocode" } },
  },
  ecj: {
    set: JAVA_CLIENT,
    inTree: (tree) => {
      const { args, env, command } = java(tree);
      const compiler = ["-jar", join(tree.root, "usr/share/java/eclipse-jdt-core-compiler-batch.jar")];
      return { command, args: [...args, ...compiler, "-cp", connectorJ(tree.root)], env };
    },
    onPath: { ...plain("ecj"), args: ["-cp", connectorJ("/")] },
  },
  java: {
    set: JAVA_CLIENT,
    inTree: (tree) => ({ ...java(tree), env: { CLASSPATH: connectorJ(tree.root) } }),
    onPath: { ...plain("java"), env: { CLASSPATH: connectorJ("/") } },
  },
};

/**
 * The runtime with its first arguments and its environment: from the cache, from Debian's packages, which are then
 * fetched into the cache, and elsewhere than on Debian from the PATH, with drivers that the machine must have.
 *
 * @throws {SetupError} when it cannot be had, naming what is missing.
 */
export async function provideRuntime(
  name: ClientRuntimeName,
  say: (line: string) => void = () => undefined,
): Promise<PeerCommand> {
  const { set, inTree, onPath: fromPath } = RUNTIMES[name];
  if (isDebian()) return inTree(await providedTree(set, say));
  if (onPath(name) === undefined) {
    throw new SetupError(`${name} is neither in Debian's packages, since this machine is not Debian, nor on the PATH`);
  }
  return fromPath;
}

const provided = new Map<PackageSet, Promise<DebianTree>>();

/** What could not be fetched is not asked for again by the same process: the mirror is away for all who need it. */
function providedTree(set: PackageSet, say: (line: string) => void): Promise<DebianTree> {
  const cached = cachedTree(set);
  if (cached !== undefined) return Promise.resolve(cached);
  const fetching = provided.get(set) ?? fetchTree(set, say);
  provided.set(set, fetching);
  return fetching;
}

/** Where programs lie that were compiled for this machine; it is made when missing. */
export function compiledFolder(language: string): string {
  const folder = join(cacheFolder(), `compiled-${language}`);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** The Perl of a tree, which finds all modules of that tree and none of the machine's. */
export function perlIn(tree: DebianTree): PeerCommand {
  const { root, libraries } = tree;
  const folders = [join(libraries, "perl5"), join(libraries, "perl"), join(root, "usr/share/perl")];
  const versions = folders.flatMap((folder) => foldersIn(folder, /^5\./));
  const all = [...versions, join(root, "usr/share/perl5"), join(libraries, "perl-base")];
  return loaded(tree, "usr/bin/perl", [], { PERL5LIB: all.join(":") });
}

function plain(command: string): PeerCommand {
  return { command, args: [], env: {} };
}

function loaded(tree: DebianTree, program: string, args: readonly string[], env: PeerCommand["env"]): PeerCommand {
  return {
    command: tree.loader,
    args: ["--library-path", tree.libraryPath, join(tree.root, program), ...args],
    // Clients on libmariadb load their authentication methods from here.
    env: { ...env, MARIADB_PLUGIN_DIR: join(tree.libraries, "libmariadb3/plugin") },
  };
}

function java(tree: DebianTree): PeerCommand {
  return loaded(tree, "usr/lib/jvm/default-java/bin/java", ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"], {});
}

function connectorJ(root: string): string {
  return join(root, "usr/share/java/mariadb-java-client.jar");
}

function namesIn(folder: string, pattern: RegExp): string[] {
  return readdirSync(folder).filter((name) => pattern.test(name));
}

function foldersIn(folder: string, pattern: RegExp): string[] {
  return namesIn(folder, pattern).map((name) => join(folder, name));
}

function only(found: readonly string[], what: string): string {
  const [first] = found;
  if (first === undefined) throw new SetupError(`the unpacked packages hold no ${what}`);
  return first;
}
