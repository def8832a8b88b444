import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";

const project = resolve(import.meta.dirname, "../../..");
/** All that a checkout has and packing looks at; a copy, so that no other test finds `dist` half written. */
const PACKED_FROM = ["package.json", "src", "scripts", "tsconfig.json", "tsconfig.build.json"];
const DOCUMENTS = ["README.md", "LICENSE", "CHANGELOG.md"];

let folder: string;
let prefix: string;
let contents: string[];
let servers: Record<"old" | "new", TestServer>;

beforeAll(async () => {
  servers = await startServers(["old", "new"]);
  folder = mkdtempSync(join(tmpdir(), "switchyard-package-"));
  const checkout = join(folder, "checkout");
  mkdirSync(checkout);
  for (const name of [...PACKED_FROM, ...DOCUMENTS.filter((name) => existsSync(join(project, name)))]) {
    cpSync(join(project, name), join(checkout, name), { recursive: true });
  }
  // The build needs the compiler, and node_modules must look installed for this very lock file.
  symlinkSync(join(project, "node_modules"), join(checkout, "node_modules"));
  cpSync(join(project, "package-lock.json"), join(checkout, "package-lock.json"));
  const packed = npm(["pack", "--json", "--pack-destination", folder], checkout);
  const listing = JSON.parse(packed.slice(packed.indexOf("[\n"))) as [{ filename: string; files: { path: string }[] }];
  contents = listing[0].files.map((file) => file.path);
  prefix = join(folder, "prefix");
  mkdirSync(prefix);
  npm(["install", "--global", "--prefix", prefix, "--prefer-offline", join(folder, listing[0].filename)], folder);
});

afterAll(async () => {
  await stopServers(servers);
  rmSync(folder, { recursive: true, force: true });
});

describe("the package, packed and installed into an empty prefix", () => {
  test("holds the compiled program and its documents, and nothing of the workshop", () => {
    expect(contents).toEqual(expect.arrayContaining(["dist/main.js", "package.json", ...DOCUMENTS]));
    expect(
      contents.filter((path) => !/^(dist\/.+\.js|package\.json|README\.md|LICENSE|CHANGELOG\.md)$/.test(path)),
    ).toEqual([]);
  });

  test("says its version", () => {
    const { version } = JSON.parse(readFileSync(join(project, "package.json"), "utf8")) as { version: string };
    const ran = switchyard(["--version"]);
    expect(ran).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
  });

  test("explains its check", () => {
    const ran = switchyard(["check", "--help"]);
    expect(ran.status).toBe(0);
    expect(ran.stdout).toContain("--print-grants");
  });

  test("checks two real servers, with the accounts that it asks for itself", async () => {
    await servers.old.root("CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY, note TEXT)");
    const config = join(folder, "switchyard.yaml");
    const backend = ({ name, host, port }: TestServer): string =>
      `  ${name}: { host: ${host}, port: ${port}, user: switchyard, password: secret }`;
    const lines = ["backends:", backend(servers.old), backend(servers.new), "default: old", ""];
    writeFileSync(config, lines.join("\n"));
    const check = ["check", "--config", config, "--tables", "shop.orders"];
    expect(switchyard(check).status).not.toBe(0);
    for (const server of Object.values(servers)) {
      const grants = switchyard([...check, "--print-grants", server.name, "--with-passwords"]);
      expect(grants).toMatchObject({ status: 0, stderr: "" });
      await server.root(grants.stdout);
    }
    const ran = switchyard([...check, "--json"]);
    expect(ran.status, ran.stdout).toBe(0);
    expect(JSON.parse(ran.stdout)).toMatchObject({ format: 1 });
  });
});

function switchyard(args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  const program = join(prefix, "bin", "switchyard");
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd: folder,
    encoding: "utf8",
    env: cleanEnvironment(),
  });
  return { status, stdout, stderr };
}

function npm(args: readonly string[], cwd: string): string {
  const quiet = ["--no-audit", "--no-fund", "--loglevel=error"];
  const ran = spawnSync("npm", [...args, ...quiet], { cwd, encoding: "utf8", env: cleanEnvironment() });
  if (ran.status !== 0) throw new Error(`npm ${args.join(" ")}: ${ran.stderr}${ran.stdout}`);
  return ran.stdout;
}

/** Under `npm test`, npm tells its children about this project; npm in another folder must not hear that. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(
    ([name]) => !/^(npm_(package|lifecycle)|npm_config_.*prefix|INIT_CWD|NODE_OPTIONS|VITEST)/.test(name),
  );
  return { ...Object.fromEntries(entries), PATH: `${join(project, "node_modules/.bin")}:${process.env["PATH"] ?? ""}` };
}
