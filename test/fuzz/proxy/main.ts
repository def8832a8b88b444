import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { startServers, stopServers } from "../../support/servers.ts";
import { SERVER_ARGS } from "./arena.ts";
import { type ProxyVerdict, runProxyCampaign } from "./campaign.ts";

const MIB = 1024 ** 2;
const ROUND_OF = 600;

export interface ProxyOrder {
  readonly seconds: number;
  readonly seed: number;
  /** A kept failure, to be run again. */
  readonly input: string | undefined;
  readonly failuresFolder: string;
}

/** `npm run fuzz -- proxy`: 0 where nothing was found, 1 with a failure and the file that says how to repeat it. */
export async function fuzzProxy(order: ProxyOrder): Promise<number> {
  const kept = order.input === undefined ? undefined : readKept(order.input);
  const seed = kept?.seed ?? order.seed;
  const say = (text: string): void => void process.stdout.write(`fuzz proxy: ${text}\n`);
  say(`seed ${seed}, ${kept === undefined ? `${order.seconds} s` : `executions ${kept.executions.join(",")}`}`);
  const servers = await startServers(["home"], { args: SERVER_ARGS });
  const startedAtMs = performance.now();
  let verdict: ProxyVerdict;
  try {
    verdict = await runProxyCampaign(servers.home, {
      seed,
      ...(kept === undefined ? { milliseconds: order.seconds * 1000 } : { executions: kept.executions }),
      roundOf: ROUND_OF,
      measured: ({ rssBytes, heapBytes, externalBytes }, executions, tally) => {
        const heap = `heap ${mebibytes(heapBytes)}, outside of it ${mebibytes(externalBytes)}, RSS ${mebibytes(rssBytes)}`;
        const innocent = `innocent sessions: ${tally.answers} answers, the slowest in ${Math.round(tally.slowestMs)} ms`;
        say(`${executions} executions: ${heap}; ${innocent}`);
      },
    });
  } finally {
    await stopServers(servers);
  }
  const took = (performance.now() - startedAtMs) / 1000;
  say(`${verdict.executions} executions in ${took.toFixed(1)} s; connections ended as ${describe(verdict.ends)}`);
  if (verdict.failure !== undefined) keep(order.failuresFolder, seed, verdict.failure, say);
  say(`seed ${seed}: ${verdict.failure === undefined ? "no failure" : "FAILED"}`);
  return verdict.failure === undefined ? 0 : 1;
}

function keep(
  folder: string,
  seed: number,
  failure: NonNullable<ProxyVerdict["failure"]>,
  say: (text: string) => void,
): void {
  mkdirSync(folder, { recursive: true });
  const file = `${folder}/proxy-${seed}-${failure.executions.at(-1) ?? 0}.json`;
  writeFileSync(file, `${JSON.stringify({ seed, executions: failure.executions, why: failure.why })}\n`);
  say(`failed: ${failure.why}`);
  say(`what was under way is in ${file}; to run it again:\n  npm run fuzz -- proxy --input ${file}`);
}

function readKept(file: string): { readonly seed: number; readonly executions: readonly number[] } {
  return JSON.parse(readFileSync(file, "utf8")) as { seed: number; executions: number[] };
}

function describe(ends: ProxyVerdict["ends"]): string {
  const sorted = Object.entries(ends).toSorted(([, one], [, other]) => other - one);
  return sorted.map(([end, count]) => `${end} ${count}`).join(", ");
}

function mebibytes(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}
