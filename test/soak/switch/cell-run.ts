import { setTimeout as sleep } from "node:timers/promises";
import type { ServeProcess } from "../../support/serve-process.ts";
import type { CellOutcome, CellRecord } from "./cell-records.ts";
import { type Kind, nameOf, type PlannedCell, STEPS } from "./cells.ts";
import { agrees, allowedErrors } from "./excuses.ts";
import { inject } from "./faults.ts";
import type { MoveOutcome } from "./orders.ts";
import { type HomeName, MIGRATION, type Stage } from "./stage.ts";
import { settleStrays } from "./strays.ts";

/** What bounds the time in which everything must be at rest once a fault has ended; all as they are configured. */
export const LIMITS = {
  leaseTtlMs: 2000,
  armTimeoutMs: 4000,
  holdBudgetMs: 5000,
  releaseTimeoutMs: 2000,
  killTimeoutMs: 5000,
  connectTimeoutMs: 2000,
  childRestartMaxMs: 100,
} as const;

/** A request to the store that was sent before the fault ended is given up after this; not a setting. */
const STORE_REQUEST_MS = 5000;
/** Between two tries of what an attempt has left behind; not a setting. */
const SETTLE_RETRY_MS = 1000;

/**
 * So long after a fault everything may take to be at rest, if each thing that can be waited for takes all of its time: what
 * was asked of the store, the leases of whoever is gone and the claim of the next, the arming or the hold, a KILL, the release,
 * a connection that is tried once more, and the look at what an attempt has left.
 */
export const REST_MS_MAX =
  STORE_REQUEST_MS +
  2 * LIMITS.leaseTtlMs +
  Math.max(LIMITS.armTimeoutMs, LIMITS.holdBudgetMs) +
  LIMITS.killTimeoutMs +
  LIMITS.releaseTimeoutMs +
  LIMITS.connectTimeoutMs +
  SETTLE_RETRY_MS;

/** A process is stopped, and a link cut, past every lease. */
const AWAY_MS = 2 * LIMITS.leaseTtlMs;
/** Before the fault: a busy machine has moves refused and aborted that nothing was done to. */
const TRIES_MAX = 6;
const LOOK_MS = 5;

/** How a cell went; a stage that is not `usable` any more must be replaced. */
export interface CellRun {
  readonly record: CellRecord;
  readonly usable: boolean;
  /** Ends what clients may be told: to be called once each has written again, and has been told of what it had lost. */
  readonly unexcuse: () => void;
}

/** What a cell is run with. */
export interface CellOptions {
  /** On a busy machine everything may take so many times as long. */
  readonly patience: number;
  /** {@link CellRun.unexcuse} of the cell before. */
  readonly unexcuseLast: () => void;
}

/**
 * Moves the tables, breaks something at the step, and sees that all comes to rest by itself: switched or aborted, as whoever
 * gave the order was told, with every acknowledged write on both homes once and no client told more than it may be.
 */
export async function runCell(stage: Stage, cell: PlannedCell, options: CellOptions): Promise<CellRun> {
  const startedMs = performance.now();
  const findings: string[] = [];
  let measured: Measured = { home: "old", kind: "switch", outcome: "failed", restMs: 0, answer: "" };
  let unexcuse = (): void => undefined;
  const excusedBefore = stage.clients.excused;
  let usable = true;
  try {
    const at = await comeTo(stage, cell, options);
    options.unexcuseLast();
    unexcuse = stage.clients.excuse(allowedErrors(cell, at.kind));
    measured = await breakOne(stage, cell, { ...at, ...options, findings });
    const strays = await settleStrays(stage, measured.home);
    if (strays.some && measured.outcome === "aborted")
      findings.push("somebody got past the fences of what had not become the home, or the guards in their place");
    findings.push(...strays.findings, ...(await stage.verify({ straysKnown: strays.some })));
  } catch (error) {
    usable = false;
    findings.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  const record: CellRecord = {
    cell: nameOf(cell),
    kind: measured.kind,
    outcome: findings.length > 0 ? "failed" : measured.outcome,
    restMs: Math.round(measured.restMs),
    tookMs: Math.round(performance.now() - startedMs),
    answer: measured.answer,
    excused: stage.clients.excused - excusedBefore,
    findings,
    at: new Date().toISOString(),
  };
  return { record, usable, unexcuse };
}

interface Measured {
  readonly home: HomeName;
  readonly kind: Kind;
  readonly outcome: CellOutcome;
  readonly restMs: number;
  readonly answer: string;
}

async function breakOne(
  stage: Stage,
  cell: PlannedCell,
  at: AtStep & CellOptions & { readonly findings: string[] },
): Promise<Measured> {
  const { home, kind, runs, order, patience, findings } = at;
  try {
    // Every second time the whole machine of the process is hit.
    const machine = STEPS.indexOf(cell.step) % 2 === 1;
    const { over } = await inject(cell, { stage, kind, runs, awayMs: AWAY_MS, machine });
    runs.letGo();
    await over;
    const endedMs = performance.now();
    const atRest = (): Promise<HomeName> => stage.settle(REST_MS_MAX * patience, { straysMayStop: true });
    await atRest();
    // One that was stopped before it has begun is at rest as well, and goes on.
    const answer = await order;
    const after = await atRest();
    const restMs = performance.now() - endedMs;
    const outcome = after === home ? "aborted" : "switched";
    if (!agrees(answer, outcome)) {
      findings.push(`it is ${outcome}, and the order was told: ${answer.outcome} ${answer.text}`);
    }
    return { home: after, kind, outcome, restMs, answer: `${answer.outcome} ${answer.text.split("\n")[0]}`.trim() };
  } finally {
    runs.letGo();
  }
}

interface AtStep {
  readonly home: HomeName;
  readonly kind: Kind;
  readonly runs: ServeProcess;
  readonly order: Promise<MoveOutcome>;
}

/** Orders the move and waits until it has come to the step, where it waits. */
async function comeTo(stage: Stage, { step }: PlannedCell, { patience }: CellOptions): Promise<AtStep> {
  const said: string[] = [];
  for (let tries = 1; tries <= TRIES_MAX; tries += 1) {
    const home = await stage.settle(REST_MS_MAX * patience);
    const kind = home === "old" ? "switch" : "rollback";
    const [asked] = stage.proxies;
    if (asked === undefined) throw new Error("there is no proxy");
    const { runs } = await stage.fleet.runs(asked, MIGRATION);
    runs.armWait(step);
    let ended: MoveOutcome | undefined;
    const order = stage.move(kind);
    void order.then((outcome) => {
      ended = outcome;
    });
    while (ended === undefined && !runs.waitsAtFailpoint) await sleep(LOOK_MS);
    if (ended === undefined) return { home, kind, runs, order };
    runs.letGo();
    said.push(`${kind} ${ended.outcome}: ${ended.text}`);
    // What a fault has made of the rows that a stream expects, or of its log, calls for a comparison.
    if (ended.outcome === "refused" && tries > 1) await stage.compare();
  }
  throw new Error(`a move does not come to ${step}:\n${said.join("\n")}`);
}
