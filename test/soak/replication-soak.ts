import { parseArgs } from "node:util";
import { seeded } from "../integration/replication/chaos-writers.ts";
import { MovingRound, REPLICATION_POINTS, type RoundTally } from "./moving-round.ts";
import { ReplicationPair } from "./replication-pair.ts";
import { interruption, type Soak, wholeNumber } from "./soak.ts";

/** What a run is given beyond its time, to come to the end of a round: then it has stood still. */
const GRACE_MS = 240_000;
/** So long a run must come to each named point. */
const ALL_POINTS_MINUTES = 5;
const LOG_LINES = 60;
const SEEDS = 1_000_000;
/** Of a run of ten minutes; a shorter one must reach its share. */
const KILLS_PER_MINUTE_MIN = 6;

/**
 * Migrations one after the other on two real servers, behind links that fail, while the stream's process and both servers
 * are killed, stopped and cut off at random moments and at each of the replication's named points. After each stretch the
 * servers' own checksums, the writes that clients know of, and what both binary logs say must agree.
 */
export const soak: Soak = {
  usage: [
    "--minutes N    how long faults are made (10)",
    "--only TEXT    of the faults at random moments, only those whose names hold TEXT",
    "--seed S       the order of faults and writes; printed, random where left out. Real time is not repeated by it",
  ],
  run: async (args) => {
    const { values } = parseArgs({
      args: [...args],
      options: {
        minutes: { type: "string", default: "10" },
        seed: { type: "string" },
        only: { type: "string", default: "" },
      },
    });
    const minutes = wholeNumber("minutes", values.minutes, 1);
    const seed = values.seed === undefined ? Date.now() % SEEDS : wholeNumber("seed", values.seed, 0);
    say(`seed ${seed}, ${minutes} min`);
    return await run({ minutes, seed, only: values.only });
  },
};

interface Run {
  readonly minutes: number;
  readonly seed: number;
  readonly only: string;
}

async function run({ minutes, seed, only }: Run): Promise<number> {
  let startedMs = performance.now();
  const elapsed = (): string => `${((performance.now() - startedMs) / 1000).toFixed(0).padStart(4)} s`;
  const tell = (line: string): void => say(`${elapsed()}  ${line}`);
  const tally: RoundTally = { kills: 0, faults: new Map(), points: new Set(REPLICATION_POINTS), findings: [] };
  const random = seeded(seed);
  const pair = await ReplicationPair.start(random);
  startedMs = performance.now();
  const interrupted = interruption();
  const stuck = Promise.withResolvers<never>();
  stuck.promise.catch(() => undefined);
  const timer = setTimeout(() => stuck.reject(new Error("it stands still")), minutes * 60_000 + GRACE_MS);
  let rounds = 0;
  try {
    const isOver = (): boolean => performance.now() - startedMs > minutes * 60_000;
    while (!isOver() && tally.findings.length === 0) {
      rounds += 1;
      const round = new MovingRound({ pair, id: `m${rounds}`, random, only, tally, isOver, tell });
      await Promise.race([round.run(), stuck.promise, interrupted]);
      tell(
        `round ${rounds} has ended: ${tally.kills} kills so far, ${pair.writers.told.acknowledged} writes acknowledged`,
      );
    }
  } catch (error) {
    tally.findings.push(`round ${rounds}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    tally.findings.push(`the end of the controller's log:\n${controllerLog(pair.serve.log)}`);
  } finally {
    clearTimeout(timer);
    await pair.stop();
  }
  return verdict(tally, { seed, minutes, rounds });
}

function verdict(
  { kills, faults, points, findings }: RoundTally,
  { seed, minutes, rounds }: { readonly seed: number; readonly minutes: number; readonly rounds: number },
): number {
  const all = [...findings];
  if (all.length === 0 && kills < minutes * KILLS_PER_MINUTE_MIN) {
    all.push(`${kills} kills; at least ${minutes * KILLS_PER_MINUTE_MIN} were due`);
  }
  if (all.length === 0 && minutes >= ALL_POINTS_MINUTES && points.size > 0) {
    all.push(`no process was killed at ${[...points].join(", ")}`);
  }
  for (const [name, times] of [...faults].sort()) say(`  ${String(times).padStart(4)} × ${name}`);
  say(`${kills} processes killed in ${rounds} migrations, seed ${seed}`);
  for (const finding of all) say(`  ${finding}`);
  say(
    all.length === 0 ? "nothing was found" : `FAILED; npm run soak -- replication --minutes ${minutes} --seed ${seed}`,
  );
  return all.length === 0 ? 0 : 1;
}

function controllerLog(log: string): string {
  const lines = log.split("\n").filter((line) => line.includes('"process":"controller"'));
  return lines.slice(-LOG_LINES).join("\n");
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
