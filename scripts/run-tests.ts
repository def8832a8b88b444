import { randomInt } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { providePrograms } from "../servers/programs.ts";
import { SetupError } from "../servers/setup-error.ts";
import type { Counts } from "../test/support/plain-summary.ts";
import { runProgram } from "./child-program.ts";
import { main as build } from "./run-build.ts";
import { runChecks } from "./run-checks.ts";

const QUICK = ["unit", "integration"];
/** Switches, and as many rollbacks, where a test does fewer in the quick lane. */
const MOVES_OF_ALL = "10";
const ALL = [...QUICK, "scenarios", "clients", "soak"];

/**
 * `npm test [-- --all] [vitest arguments]`: builds, finds the servers, runs the static checks and the tests, and ends
 * with the line `N passed, N failed, N skipped`. Each static check counts as one test; so does the build.
 */
export async function main(args: readonly string[]): Promise<number> {
  const startedAt = performance.now();
  const total: Counts = { passed: 0, failed: 0, skipped: 0 };
  try {
    const programs = await providePrograms((line) => process.stdout.write(`${line}\n`));
    process.stdout.write(`servers: ${programs.origin}\n`);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stdout.write(`${error.message}\n0 passed, 1 failed, 0 skipped\n`);
    return 1;
  }
  const built = (await build()) === 0;
  process.stdout.write(`build: ${built ? "ok" : "FAILED"}\n`);
  add(total, { passed: built ? 1 : 0, failed: built ? 0 : 1, skipped: 0 });
  add(total, { ...(await runChecks()), skipped: 0 });
  add(total, await runVitest(args.includes("--all") ? ALL : QUICK, args));
  return sumUp(total, startedAt);
}

/** `npm run test:clients [-- vitest arguments]`: the clients that people have, across a switch, and nothing else. */
export async function runClients(args: readonly string[]): Promise<number> {
  const startedAt = performance.now();
  return sumUp(await runVitest(["clients"], args), startedAt);
}

function sumUp(total: Counts, startedAt: number): number {
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  process.stdout.write(`\nin ${seconds} s\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`);
  return total.failed === 0 ? 0 : 1;
}

async function runVitest(projects: readonly string[], args: readonly string[]): Promise<Counts> {
  const others = args.filter((arg) => arg !== "--all");
  const folder = mkdtempSync(join(tmpdir(), "switchyard-test-"));
  const countsFile = join(folder, "counts.json");
  try {
    const chosen = projects.flatMap((name) => ["--project", name]);
    // Tests start the program many times over; compiled modules are kept between those starts.
    const env = {
      SWITCHYARD_TEST_COUNTS: countsFile,
      NODE_COMPILE_CACHE: join(folder, "compiled"),
      ...(args.includes("--all") ? ofAll() : {}),
    };
    const ended = await runProgram("vitest", ["run", ...chosen, ...others], { env });
    const counts = readCounts(countsFile);
    // vitest can fail without a failing test, for example when it cannot read its configuration.
    return ended.code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What the long lanes do more of. Their properties meet other examples each time; the seed is printed. */
function ofAll(): Record<string, string> {
  const seed = process.env["SWITCHYARD_PROPERTY_SEED"] ?? String(randomInt(1, 2 ** 31 - 1));
  process.stdout.write(`SWITCHYARD_PROPERTY_SEED=${seed}\n`);
  const moves = process.env["SWITCHYARD_MOVES"] ?? MOVES_OF_ALL;
  return { SWITCHYARD_LONG: "1", SWITCHYARD_MOVES: moves, SWITCHYARD_PROPERTY_SEED: seed };
}

function readCounts(path: string): Counts {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Counts;
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

function add(total: Counts, more: Counts): void {
  total.passed += more.passed;
  total.failed += more.failed;
  total.skipped += more.skipped;
}
