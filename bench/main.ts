import type { Bench } from "./frame/bench.ts";
import { type BenchOptions, parseOptions } from "./frame/options.ts";
import { type Output, runBench } from "./frame/run-bench.ts";

/** Every bench by its name. A bench is loaded when it is asked for. */
const BENCHES: Readonly<Record<string, () => Promise<{ readonly bench: Bench }>>> = {
  proxy: () => import("./proxy.bench.ts"),
  cutover: () => import("./cutover.bench.ts"),
  copy: () => import("./copy.bench.ts"),
  catchup: () => import("./catchup.bench.ts"),
  diff: () => import("./diff.bench.ts"),
  lag: () => import("./lag.bench.ts"),
  decode: () => import("./decode.bench.ts"),
  sql: () => import("./sql.bench.ts"),
};

const USAGE = `usage: npm run bench -- NAME [--json] [--all] [--only REGEX] [--rounds N]

  NAME          ${Object.keys(BENCHES).join(", ")}
  --json        one line of JSON for each figure on stdout, all else on stderr
  --all         everything that the bench knows, however long it takes; else what we answer for, in 6 minutes at most
  --only REGEX  only figures whose metric matches, of all that the bench knows
  --rounds N    how often each contender is measured
`;

/** `npm run bench -- NAME`: measures, and prints the machine, the versions, the settings, the commands and the figures. */
export async function main(args: readonly string[], output: Output = process): Promise<number> {
  let options: BenchOptions;
  try {
    options = parseOptions(args);
  } catch (error) {
    return refuse(output, error instanceof Error ? error.message : String(error));
  }
  const load = Object.hasOwn(BENCHES, options.name) ? BENCHES[options.name] : undefined;
  if (load === undefined) return refuse(output, `there is no bench "${options.name}"`);
  const { bench } = await load();
  return await runBench(bench, options, output, "full");
}

function refuse({ stderr }: Output, problem: string): number {
  stderr.write(`${problem}\n\n${USAGE}`);
  return 2;
}
