import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { isAbsolute, join, relative } from "node:path";
import { cacheFolder } from "./cache-folder.ts";
import { debianMirror } from "./debian-mirror.ts";
import { fillingFolder } from "./filling-folder.ts";
import { withLockFile } from "./lock-file.ts";
import type { PackageSet } from "./package-sets.ts";
import { runCommand } from "./run-command.ts";
import { SetupError } from "./setup-error.ts";

/** Debian's rolling suite has the newest versions. */
const SUITE = "sid";
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** Packages that the dependencies name but only a whole system needs. */
const SYSTEM_ONLY =
  /^(perl|perl-base|perl-modules-.*|libperl.*|systemd|libsystemd-shared|passwd|login.*|adduser|debconf.*|libpam.*|sysvinit-utils|gcc-.*-base|openssl|ca-certificates|tzdata)$/;

const ARCHITECTURES: Readonly<Record<string, { readonly triplet: string; readonly loader: string }>> = {
  x64: { triplet: "x86_64-linux-gnu", loader: "usr/lib64/ld-linux-x86-64.so.2" },
  arm64: { triplet: "aarch64-linux-gnu", loader: "usr/lib/ld-linux-aarch64.so.1" },
};

/** An unpacked tree of Debian packages, run with its own loader so that the machine's libraries do not matter. */
export interface DebianTree {
  readonly root: string;
  readonly loader: string;
  readonly libraryPath: string;
  /** The folder of libraries for this machine's processor. */
  readonly libraries: string;
}

/** Whether this machine has Debian's tools and repositories. */
export function isDebian(): boolean {
  try {
    return /^ID=debian$/m.test(readFileSync("/etc/os-release", "utf8"));
  } catch {
    return false;
  }
}

/** The tree of a set of packages that the cache already holds, if any. */
export function cachedTree(set: PackageSet): DebianTree | undefined {
  const root = treeFolder(set);
  return existsSync(root) ? treeAt(root) : undefined;
}

/**
 * Fetches the packages with an apt of its own (nothing is installed, no right is needed, the machine's packages stay
 * as they are) and unpacks them into the cache, unless they are there. Safe to interrupt and to run twice at once.
 *
 * @throws {SetupError} when a package cannot be had.
 */
export async function fetchTree(set: PackageSet, say: (line: string) => void): Promise<DebianTree> {
  const root = treeFolder(set);
  const wait = (): void => say(`another process is fetching ${set.name}; waiting for it`);
  await withLockFile(`${root}.lock`, wait, async () => {
    if (existsSync(root)) return;
    const work = fillingFolder(root);
    try {
      await fill(work, set, say);
      if (!existsSync(root)) renameSync(join(work, "tree"), root);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  });
  return treeAt(root);
}

function treeFolder({ packages, keeps }: PackageSet): string {
  const kept = keeps === undefined ? "" : ` ${keeps.source}`;
  const hash = createHash("sha256")
    .update(`${process.arch} ${packages.join(" ")}${kept}`)
    .digest("hex")
    .slice(0, 8);
  return join(cacheFolder(), `debian-${hash}`);
}

function treeAt(root: string): DebianTree {
  const architecture = ARCHITECTURES[process.arch];
  if (architecture === undefined) throw new SetupError(`no Debian servers are known for ${process.arch}`);
  const libraries = join(root, "usr/lib", architecture.triplet);
  return {
    root,
    loader: join(root, architecture.loader),
    libraries,
    libraryPath: [libraries, join(root, "usr/lib/mysql"), join(root, "usr/lib/mysql/private")].join(":"),
  };
}

async function fill(work: string, set: PackageSet, say: (line: string) => void): Promise<void> {
  const { packages } = set;
  const archives = join(work, "archives");
  const tree = join(work, "tree");
  for (const folder of [archives, tree, join(work, "lists/partial"), join(work, "cache/archives/partial")]) {
    mkdirSync(folder, { recursive: true });
  }
  const configuration = join(work, "apt.conf");
  const sources = join(work, "sources.list");
  writeFileSync(sources, `${await sourceLine()}\n`);
  writeFileSync(configuration, aptConfiguration(work, sources));
  const env = { APT_CONFIG: configuration, LC_ALL: "C" };
  say(`fetching ${packages.join(", ")} (once per machine)`);
  await runCommand("apt-get", ["update", "-qq", "--error-on=any"], { env });
  const closure = await runCommand("apt-get", ["install", "--print-uris", "-qq", "-y", ...packages], { env });
  const names = packageNames(closure, set);
  if (!packages.every((name) => names.includes(name))) {
    throw new SetupError(`apt did not list ${packages.join(", ")}:\n${closure}`);
  }
  await runCommand("apt-get", ["download", "-qq", ...names], { env, cwd: archives });
  say(`unpacking ${names.length} packages`);
  // dpkg's own lists are not used: the tree is not an installation.
  await runCommand("sh", ["-c", 'for deb in *.deb; do dpkg-deb -x "$deb" "$0" || exit 1; done', tree], {
    cwd: archives,
  });
  turnLinksInwards(tree);
  const missing = set.proof.filter((path) => !existsSync(join(tree, path)));
  if (missing.length > 0) throw new SetupError(`the unpacked packages lack ${missing.join(" and ")}`);
}

/** Lets links that name a place on the machine, such as `/etc/java-25/security`, lead to the same place in the tree. */
function turnLinksInwards(tree: string): void {
  for (const entry of readdirSync(tree, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) continue;
    const link = join(entry.parentPath, entry.name);
    const to = readlinkSync(link);
    if (!isAbsolute(to)) continue;
    unlinkSync(link);
    symlinkSync(relative(entry.parentPath, join(tree, to)), link);
  }
}

/** The names in `'URI' name_version_arch.deb size hash` lines, without what only a system needs and nobody asked for. */
function packageNames(printedUris: string, { packages, keeps }: PackageSet): string[] {
  const names: string[] = [];
  for (const line of printedUris.split("\n")) {
    const name = /^'[^']+' ([^_ ]+)_/.exec(line)?.[1];
    if (name === undefined) continue;
    if (packages.includes(name) || keeps?.test(name) === true || !SYSTEM_ONLY.test(name)) names.push(name);
  }
  return names;
}

function aptConfiguration(work: string, sources: string): string {
  return [
    `Dir::State::Lists "${work}/lists";`,
    'Dir::State::status "/dev/null";',
    `Dir::Cache "${work}/cache";`,
    `Dir::Etc::SourceList "${sources}";`,
    'Dir::Etc::SourceParts "/dev/null";',
    // Run as root, apt would drop to a user that may not read this folder.
    'APT::Sandbox::User "root";',
    'APT::Install-Recommends "false";',
    'Acquire::Languages "none";',
    'Acquire::Retries "3";',
    "",
  ].join("\n");
}

/** One source line: the rolling suite at the mirror that this machine takes its own release from. */
async function sourceLine(): Promise<string> {
  const uri = await debianMirror();
  if (uri === undefined) {
    throw new SetupError("apt's own sources name no Debian mirror, so there is nowhere to fetch the servers from");
  }
  const signedBy = existsSync(KEYRING) ? `[signed-by=${KEYRING}] ` : "";
  return `deb ${signedBy}${uri} ${SUITE} main`;
}
