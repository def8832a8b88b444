import { runProgram } from "./child-program.ts";

interface Check {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}

const CHECKS: readonly Check[] = [
  { name: "types", command: "tsc", args: ["-p", ".", "--noEmit"] },
  { name: "format and lint", command: "biome", args: ["check", "--max-diagnostics=200", "--error-on-warnings"] },
  { name: "typed lint", command: "oxlint", args: ["--type-aware", "--deny-warnings", "."] },
  {
    name: "layers",
    command: "depcruise",
    args: ["src", "--config", ".dependency-cruiser.cjs", "--output-type", "err"],
  },
];

/** Runs all static checks and shows the output of those that fail. Gives how many passed and how many failed. */
export async function runChecks(): Promise<{ passed: number; failed: number }> {
  let failed = 0;
  const queue = [...CHECKS];
  const worker = async (): Promise<void> => {
    for (let check = queue.shift(); check !== undefined; check = queue.shift()) {
      const startedAt = performance.now();
      const ended = await runProgram(check.command, check.args, { capture: true });
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
      const verdict = ended.code === 0 ? "ok" : "FAILED";
      process.stdout.write(`check: ${check.name} ${verdict} (${seconds} s)\n`);
      if (ended.code === 0) continue;
      failed++;
      process.stdout.write(`${ended.output.trimEnd()}\n`);
    }
  };
  await Promise.all([worker(), worker()]);
  return { passed: CHECKS.length - failed, failed };
}

/** `npm run check`: the static checks and the tidy test. */
export async function main(): Promise<number> {
  const { failed } = await runChecks();
  const tidy = await runProgram("vitest", ["run", "--project", "unit", "test/tidy.test.ts"]);
  return failed === 0 && tidy.code === 0 ? 0 : 1;
}
