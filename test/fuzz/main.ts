import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { tryInput } from "./campaign.ts";
import type { FuzzFailure } from "./fuzz-target.ts";
import { loadTarget, TARGET_NAMES } from "./target-names.ts";
import { runWatchedCampaign } from "./watched-campaign.ts";

/** Not bytes for a reader, but clients and servers for live proxies. */
const LIVE = "proxy";

const USAGE = `usage: npm run fuzz -- TARGET [--seconds N] [--seed S]   changes of well formed inputs, for N seconds (60)
       npm run fuzz -- TARGET --input FILE              one input once more

targets: ${TARGET_NAMES.join(" ")} ${LIVE}
`;

const FAILURES_FOLDER = "fuzz-failures";
const SECONDS_MAX = 86_400;

/** `npm run fuzz`: 0 where nothing was found, 1 with a failure and the file that holds its input, 2 for wrong usage. */
export async function main(args: readonly string[]): Promise<number> {
  const order = readArguments(args);
  if (order === undefined || (order.name !== LIVE && !TARGET_NAMES.includes(order.name))) {
    process.stderr.write(USAGE);
    return 2;
  }
  if (order.name === LIVE) {
    const { fuzzProxy } = await import("./proxy/main.ts");
    return await fuzzProxy({ ...order, failuresFolder: FAILURES_FOLDER });
  }
  return order.input === undefined ? await campaign(order) : await once(order.name, order.input);
}

interface Order {
  readonly name: string;
  readonly seconds: number;
  readonly seed: number;
  readonly input: string | undefined;
}

function readArguments(args: readonly string[]): Order | undefined {
  const options = { seconds: { type: "string" }, seed: { type: "string" }, input: { type: "string" } } as const;
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const seconds = Number(values.seconds ?? 60);
    const seed = Number(values.seed ?? Date.now() % 0x1_0000_0000);
    if (positionals.length !== 1 || !(seconds > 0 && seconds <= SECONDS_MAX) || !isSeed(seed)) return undefined;
    return { name: positionals[0] ?? "", seconds, seed, input: values.input };
  } catch {
    return undefined;
  }
}

function isSeed(seed: number): boolean {
  return Number.isInteger(seed) && seed >= 0 && seed < 0x1_0000_0000;
}

async function campaign({ name, seconds, seed }: Order): Promise<number> {
  process.stdout.write(`fuzz ${name}: seed ${seed}, ${seconds} s\n`);
  const startedAt = performance.now();
  const { executions, refused, failure } = await runWatchedCampaign(name, seed, seconds * 1000);
  const took = (performance.now() - startedAt) / 1000;
  const peak = Math.round(process.resourceUsage().maxRSS / 1024);
  const counted = `${executions} executions in ${took.toFixed(1)} s, ${Math.round(executions / took)} executions/s`;
  process.stdout.write(`fuzz ${name}: ${counted}, ${refused} refused as they may be, peak memory ${peak} MiB\n`);
  if (failure !== undefined) report(name, seed, failure);
  process.stdout.write(`fuzz ${name}: seed ${seed}: ${failure === undefined ? "no failure" : "FAILED"}\n`);
  return failure === undefined ? 0 : 1;
}

function report(name: string, seed: number, failure: FuzzFailure): void {
  mkdirSync(FAILURES_FOLDER, { recursive: true });
  const file = `${FAILURES_FOLDER}/${name}-${seed}-${failure.execution}.bin`;
  writeFileSync(file, failure.input);
  process.stdout.write(`fuzz ${name}: execution ${failure.execution} failed: ${failure.why}\n`);
  process.stdout.write(`fuzz ${name}: its ${failure.input.length} bytes are in ${file}; to run them again:\n`);
  process.stdout.write(`  npm run fuzz -- ${name} --input ${file}\n`);
}

async function once(name: string, file: string): Promise<number> {
  const target = await loadTarget(name);
  if (target === undefined) return 2;
  const { refused, failure } = await tryInput(target, readFileSync(file));
  const verdict = failure === undefined ? `no failure${refused ? ", refused as it may be" : ""}` : `FAILED: ${failure}`;
  process.stdout.write(`fuzz ${name}: ${file}: ${verdict}\n`);
  return failure === undefined ? 0 : 1;
}
