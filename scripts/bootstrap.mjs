// Runs under whatever Node the machine has, on a fresh clone: imports nothing but Node, in plain JavaScript.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

export const projectFolder = fileURLToPath(new URL("..", import.meta.url));
const modules = join(projectFolder, "node_modules");
const binFolder = join(modules, ".bin");
const node24 = join(modules, "node", "bin", "node");
const marker = join(modules, ".switchyard-lock");
const ENTERED = "SWITCHYARD_ENTERED";

/**
 * Makes sure that the packages of package-lock.json are installed and that this script runs under the project's own
 * Node, starting it again under that Node where it must. Returns only in the right process, with the programs of the
 * packages first on the PATH and the project as working folder.
 */
export async function bootstrap() {
  process.chdir(projectFolder);
  let fresh = false;
  if (!packagesAreInstalled()) {
    process.stderr.write("installing packages (npm ci)\n");
    await npmCi();
    fresh = true;
  }
  if (!existsSync(node24)) {
    fail("npm did not install Node 24 (the package `node`). Allow its install script, then run: npm rebuild node");
  }
  const path = (process.env.PATH ?? "").split(delimiter).filter((part) => part !== binFolder);
  process.env.PATH = [binFolder, ...path].join(delimiter);
  const isRight = Number(process.versions.node.split(".")[0]) >= 24 && !fresh;
  if (isRight) return;
  if (process.env[ENTERED] === "1" && !fresh) fail(`${node24} is Node ${process.versions.node}, 24 or newer is needed`);
  process.exit(await run(node24, process.argv.slice(1), { ...process.env, [ENTERED]: "1" }));
}

function packagesAreInstalled() {
  const wanted = lockHash();
  if (existsSync(marker)) return readFileSync(marker, "utf8") === wanted;
  // Packages that a developer installed by hand count if npm finished after the lock file was written.
  const npmsOwn = join(modules, ".package-lock.json");
  if (!existsSync(npmsOwn) || !existsSync(node24)) return false;
  if (statSync(npmsOwn).mtimeMs < statSync(join(projectFolder, "package-lock.json")).mtimeMs) return false;
  writeFileSync(marker, wanted);
  return true;
}

function lockHash() {
  return createHash("sha256")
    .update(readFileSync(join(projectFolder, "package-lock.json")))
    .digest("hex");
}

/** npm runs under the machine's Node: it is about to replace the one in node_modules. */
async function npmCi() {
  const env = { ...process.env };
  const path = (env.PATH ?? "").split(delimiter).filter((part) => !part.startsWith(modules));
  env.PATH = path.join(delimiter);
  const args = ["ci", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"];
  const { npm_node_execpath: nodeOfNpm, npm_execpath: npmCli } = env;
  const byNpm = nodeOfNpm && npmCli?.endsWith(".js") && !nodeOfNpm.startsWith(modules);
  const code = byNpm ? await run(nodeOfNpm, [npmCli, ...args], env) : await run("npm", args, env);
  if (code !== 0) fail("npm ci failed (see above); the packages in package-lock.json are needed to go on");
  writeFileSync(marker, lockHash());
}

/** Runs a program on this terminal and gives its exit code. Ctrl-C reaches it by itself; other signals are passed on. */
function run(command, args, env) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: "inherit", env });
    const pass = (signal) => child.kill(signal);
    const ignore = () => undefined;
    process.on("SIGINT", ignore).on("SIGTERM", pass).on("SIGHUP", pass);
    child.on("error", (error) => {
      process.stderr.write(`cannot run ${command}: ${error.message}\n`);
      resolve(1);
    });
    child.on("exit", (code, signal) => {
      process.off("SIGINT", ignore).off("SIGTERM", pass).off("SIGHUP", pass);
      resolve(code ?? (signal === "SIGINT" ? 130 : 1));
    });
  });
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
