import { randomInt } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { providePrograms } from "../servers/programs.ts";
import { SetupError } from "../servers/setup-error.ts";
import type { Counts, RunResult } from "../test/support/plain-summary.ts";
import { runProgram } from "./child-program.ts";
import { main as build } from "./run-build.ts";
import { runChecks } from "./run-checks.ts";

const QUICK = ["unit", "integration"];
/** Switches, and as many rollbacks, where a test does fewer in the quick lane. */
const MOVES_OF_ALL = "10";
const ALL = [...QUICK, "scenarios", "clients", "soak"];
/** More than this is no matter of a busy machine. */
const AGAIN_FILES_MAX = 2;

/**
 * `npm test [-- --all] [vitest arguments]`: builds, finds the servers, runs the static checks and the tests, and ends
 * with the line `N passed, N failed, N skipped`. Each static check counts as one test; so does the build.
 *
 * Three files run at a time, and some tests bound how long something takes. Without arguments, files with failures, where
 * they are few, are therefore run once more with nothing beside them, and that run counts; what has failed in the first is named above the
 * last line all the same.
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
  add(total, await runTests(args.includes("--all") ? ALL : QUICK, args));
  return sumUp(total, startedAt);
}

async function runTests(projects: readonly string[], args: readonly string[]): Promise<Counts> {
  const first = await runVitest(projects, args);
  const files = new Set(first.failures.map(({ file }) => file));
  if (args.length > 0 || files.size === 0 || files.size > AGAIN_FILES_MAX) return first;
  process.stdout.write(`\nwith nothing beside them, once more: ${[...files].join(" ")}\n`);
  const alone = await runVitest(projects, ["--maxWorkers=1", ...files]);
  for (const { file, test } of first.failures) {
    const again = alone.failures.some((other) => other.file === file && other.test === test);
    process.stdout.write(`${again ? "failed twice" : "FAILED beside others, passed alone"}: ${test}\n`);
  }
  return { ...first, passed: first.passed + first.failed - alone.failed, failed: alone.failed };
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

async function runVitest(projects: readonly string[], args: readonly string[]): Promise<RunResult> {
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

function readCounts(path: string): RunResult {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as RunResult;
  } catch {
    return { passed: 0, failed: 1, skipped: 0, failures: [] };
  }
}

function add(total: Counts, more: Counts): void {
  total.passed += more.passed;
  total.failed += more.failed;
  total.skipped += more.skipped;
}
