import { setTimeout as sleep } from "node:timers/promises";
import { openTransaction } from "./client-kinds.ts";
import type { MoveOutcome } from "./orders.ts";
import { logTail, type Stage } from "./stage.ts";

const SETTLE_MS_MAX = 60_000;
const TRIES_MAX = 20;
const REST_MS = 100;
/** Before each so many-th cycle an order comes to nothing. */
const IN_VAIN_EVERY = 5;

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
      tally.cycles += 1;
      if (tally.cycles % IN_VAIN_EVERY === 0) tell(`in vain: ${await inVain(stage, tally)}`);
      tell(`cycle ${tally.cycles}: ${await move(stage, "switch", tally)}; ${await move(stage, "rollback", tally)}`);
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

/**
 * A switch that waits for a transaction until it gives up, and one that is only rehearsed: nothing moves, what the
 * transaction has written is kept, and no client is told an error.
 */
async function inVain(stage: Stage, tally: CyclesTally): Promise<string> {
  const blocker = await openTransaction(stage.fleet.appUrls[tally.cycles % 2] ?? "", stage.clients.ledger);
  const blocked = await stage.move("switch");
  await blocker.commit();
  tally.moves.push(blocked);
  const rehearsed = await rehearse(stage, tally);
  for (const { outcome, text } of [blocked, rehearsed]) {
    if (outcome === "switched")
      tally.findings.push("it has switched, and a transaction was open or it was only to rehearse");
    if (outcome === "unknown") tally.findings.push(`a switch in vain: ${text}`);
  }
  if ((await stage.settle(SETTLE_MS_MAX)) !== "old") tally.findings.push("what was in vain has moved the tables");
  return [blocked, rehearsed].map((outcome) => describe("switch", outcome, 0)).join("; ");
}

/** Refused and aborted are answers here too; but one must come about. */
async function rehearse(stage: Stage, tally: CyclesTally): Promise<MoveOutcome> {
  for (let tries = 1; ; tries += 1) {
    await stage.settle(SETTLE_MS_MAX);
    const outcome = await stage.move("switch", undefined, { rehearse: true });
    tally.moves.push(outcome);
    if (outcome.outcome !== "refused" && outcome.outcome !== "aborted") return outcome;
    if (tries === TRIES_MAX) throw new Error(`no rehearsal came about in ${tries} tries: ${outcome.text}`);
  }
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
  const why = text === "" ? "" : ` (${text.split("\n")[0]})`;
  if (end !== "switched") return `${kind} ${end} after ${tookMs.toFixed(0)} ms${why}`;
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
