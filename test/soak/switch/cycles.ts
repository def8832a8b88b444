import { setTimeout as sleep } from "node:timers/promises";
import type { MoveOutcome } from "./orders.ts";
import { logTail, type Stage } from "./stage.ts";

const SETTLE_MS_MAX = 60_000;
const TRIES_MAX = 20;
const REST_MS = 100;

export interface CyclesOptions {
  readonly cycles: number;
  /** The oracles are asked after so many cycles, and at the end. */
  readonly verifyEvery: number;
  readonly deadlineMs: number;
  readonly tell: (line: string) => void;
}

/** What the cycles have come to. */
export interface CyclesTally {
  cycles: number;
  readonly moves: MoveOutcome[];
  /** The longest that a write of one statement took around each move, as its client saw it. */
  readonly clientMs: number[];
  readonly findings: string[];
}

/** Switches and rolls back, again and again, until enough cycles are done, time is up or something is found. */
export async function runCycles(stage: Stage, options: CyclesOptions): Promise<CyclesTally> {
  const tally: CyclesTally = { cycles: 0, moves: [], clientMs: [], findings: [] };
  const { cycles, verifyEvery, deadlineMs, tell } = options;
  try {
    while (tally.cycles < cycles && performance.now() < deadlineMs && tally.findings.length === 0) {
      tell(`cycle ${tally.cycles + 1}: ${await move(stage, "switch", tally)}; ${await move(stage, "rollback", tally)}`);
      tally.cycles += 1;
      if (tally.cycles % verifyEvery === 0 || tally.cycles === cycles) await verify(stage, tally, tell);
    }
    if (tally.cycles % verifyEvery !== 0) await verify(stage, tally, tell);
    tally.findings.push(...idle(stage));
  } catch (error) {
    tally.findings.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
    for (const [index, one] of stage.controllers.entries()) {
      tally.findings.push(`the end of the log of controller ${index + 1}:\n${logTail(one, 40)}`);
    }
  }
  return tally;
}

/** Moves the tables; refused and aborted are answers that a busy machine gives, and the same is ordered again. */
async function move(stage: Stage, kind: "switch" | "rollback", tally: CyclesTally): Promise<string> {
  const said: string[] = [];
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    stage.clients.takeLongestMs();
    const outcome = await stage.move(kind);
    await sleep(REST_MS);
    const clientMs = stage.clients.takeLongestMs();
    tally.moves.push(outcome);
    if (outcome.outcome === "switched") tally.clientMs.push(clientMs);
    if (outcome.strays.length > 0) tally.findings.push(`${kind} names strays: ${JSON.stringify(outcome.strays)}`);
    said.push(describe(kind, outcome, clientMs));
    if (outcome.outcome === "unknown") throw new Error(`${kind}: ${outcome.text}`);
    await stage.settle(SETTLE_MS_MAX);
    if (outcome.outcome !== "switched") continue;
    // From the first move on, both servers are somebody's old home.
    stage.bypasses.new.start();
    return said.join("; ");
  }
  throw new Error(`${kind} did not come about in ${TRIES_MAX} tries: ${said.join("; ")}`);
}

/** A client that was not what it is there for proves nothing. */
function idle({ clients, bypasses }: Stage): readonly string[] {
  const silent = clients.kindsWithoutWrites().map((kind) => `no ${kind} client has written anything`);
  for (const [home, bypass] of Object.entries(bypasses)) {
    const { acknowledged, refused } = bypass.counts();
    if (acknowledged === 0) silent.push(`who writes to ${home} past the proxies was never acknowledged anything`);
    if (refused === 0) silent.push(`who writes to ${home} past the proxies was never refused`);
  }
  return silent;
}

function describe(kind: string, outcome: MoveOutcome, clientMs: number): string {
  const { outcome: end, tookMs, pauseMs, text } = outcome;
  if (end !== "switched") return `${kind} ${end} after ${tookMs.toFixed(0)} ms (${text.split("\n")[0]})`;
  return `${kind} ${tookMs.toFixed(0)} ms, held ${(pauseMs ?? 0).toFixed(0)} ms, longest write ${clientMs.toFixed(0)} ms`;
}

async function verify(stage: Stage, tally: CyclesTally, tell: (line: string) => void): Promise<void> {
  const startedMs = performance.now();
  tally.findings.push(...(await stage.verify()));
  const { acknowledged, refused } = stage.clients.ledger.counts();
  const { lost, doubled, unknown } = stage.oracles.verdict;
  tell(
    `verified in ${((performance.now() - startedMs) / 1000).toFixed(1)} s: ${acknowledged} acknowledged, ${refused} refused or ` +
      `taken back, ${unknown} unknown; ${lost} lost, ${doubled} doubled`,
  );
}
