import { parseArgs } from "node:util";
import { percentile } from "../../bench/frame/figures.ts";
import { interruption, type Soak, wholeNumber } from "./soak.ts";
import { type CyclesTally, runCycles } from "./switch/cycles.ts";
import { faultUsage, runFaultMatrix } from "./switch/fault-matrix.ts";
import { Stage, type StageOptions } from "./switch/stage.ts";

const SEEDS = 1_000_000;
/** One of each kind at each proxy. */
const CLIENTS_MIN = 16;
/** A cycle takes two to four seconds; a run that takes far longer has stood still. */
const SECONDS_PER_CYCLE_MAX = 60;

/**
 * Tables that change home and change back while clients of every kind write, on a real pair of servers with etcd, two
 * proxies and two controllers, and with two clients that go past the proxies. Every write that was acknowledged must be on
 * both homes once, in rows and in binary logs, and no client may be told an error.
 */
export const soak: Soak = {
  usage: [
    "--cycles N     how often the tables are switched and rolled back (50)",
    "--clients N    how many clients go through the proxies, of eight kinds in turn (64)",
    "--think MS     how long a client thinks between two writes, in the middle (250)",
    "--verify N     every write is compared after each N cycles, and at the end (10)",
    "--seed S       the clients' pace; printed, random where left out. Real time is not repeated by it",
    ...faultUsage,
  ],
  run: async (args) => {
    if (args.includes("--faults")) return await runFaultMatrix(args.filter((one) => one !== "--faults"));
    const { values } = parseArgs({
      args: [...args],
      options: {
        cycles: { type: "string", default: "50" },
        clients: { type: "string", default: "64" },
        think: { type: "string", default: "250" },
        verify: { type: "string", default: "10" },
        seed: { type: "string" },
      },
    });
    const cycles = wholeNumber("cycles", values.cycles, 1);
    const verifyEvery = wholeNumber("verify", values.verify, 1);
    const stage = {
      clients: wholeNumber("clients", values.clients, CLIENTS_MIN),
      thinkMs: wholeNumber("think", values.think, 1),
      seed: values.seed === undefined ? Date.now() % SEEDS : wholeNumber("seed", values.seed, 0),
      leaseTtlMs: 2000,
      links: false,
    };
    say(`seed ${stage.seed}, ${cycles} cycles, ${stage.clients} clients`);
    return await run(stage, cycles, verifyEvery);
  },
};

async function run(options: StageOptions, cycles: number, verifyEvery: number): Promise<number> {
  const stage = await Stage.start(options);
  const interrupted = interruption();
  const startedMs = performance.now();
  const seconds = (): number => (performance.now() - startedMs) / 1000;
  let tally: CyclesTally;
  let bypassed: string;
  try {
    const deadlineMs = startedMs + cycles * SECONDS_PER_CYCLE_MAX * 1000;
    const tell = (line: string): void => say(`${seconds().toFixed(0).padStart(5)} s  ${line}`);
    tally = await Promise.race([runCycles(stage, { cycles, verifyEvery, deadlineMs, tell }), interrupted]);
    bypassed = describeBypasses(stage);
  } finally {
    await stage.stop();
  }
  return verdict(stage, tally, { cycles, seconds: seconds(), bypassed, seed: options.seed });
}

function describeBypasses({ bypasses }: Stage): string {
  return Object.entries(bypasses)
    .map(([home, bypass]) => {
      const { acknowledged, refused, unknown } = bypass.counts();
      return `${home} ${acknowledged} acknowledged, ${refused} refused, ${unknown} unknown`;
    })
    .join("; ");
}

function verdict(
  stage: Stage,
  { moves, clientMs, findings, cycles: done }: CyclesTally,
  run: { readonly cycles: number; readonly seconds: number; readonly bypassed: string; readonly seed: number },
): number {
  const count = (outcome: string): number => moves.filter((move) => move.outcome === outcome).length;
  const switched = moves.filter((move) => move.outcome === "switched");
  const { lost, doubled, unknown, unknownThere } = stage.oracles.verdict;
  const all = [...findings];
  if (done < run.cycles && all.length === 0) all.push(`${done} of ${run.cycles} cycles were done in the time`);
  say(`cycles        ${done} in ${run.seconds.toFixed(0)} s`);
  say(
    `moves         ${count("switched")} switched, ${count("rehearsed")} rehearsed, ${count("aborted")} aborted, ${count("refused")} refused`,
  );
  say(`writes        ${stage.clients.ledger.counts().acknowledged} acknowledged`);
  say(`              ${lost} lost, ${doubled} doubled, ${unknown} unknown (${unknownThere} of them are there)`);
  say(`past proxies  ${run.bypassed}`);
  say("              p50 / p99 / max, in ms");
  say(`held          ${percentiles(switched.map(({ pauseMs }) => pauseMs ?? 0))}`);
  say(`one write     ${percentiles(clientMs)}   the longest of each move, as its client saw it`);
  const steps = [...new Set(switched.flatMap((move) => move.steps.map(({ step }) => step)))];
  for (const step of steps) {
    const times = switched.flatMap((move) => move.steps.filter((one) => one.step === step));
    say(`  ${step.padEnd(18)}${percentiles(times.map(({ tookMs }) => tookMs))}`);
  }
  for (const finding of all) say(`  ${finding}`);
  say(
    all.length === 0 ? "nothing was found" : `FAILED; npm run soak -- switch --cycles ${run.cycles} --seed ${run.seed}`,
  );
  return all.length === 0 ? 0 : 1;
}

function percentiles(values: readonly number[]): string {
  const at = (percent: number): string => (values.length === 0 ? 0 : percentile(values, percent)).toFixed(1);
  return `${at(50)} / ${at(99)} / ${at(100)}`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
