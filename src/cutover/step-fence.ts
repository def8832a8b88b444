import { endsWithin } from "../base/deadline.ts";
import { isSwitchyardError, SwitchyardError } from "../base/errors.ts";
import { LOOK_WHILE_HELD_MS } from "./answer-in-time.ts";
import { type Attempt, checkBudget, fenceOf, newSession, oldSession } from "./attempt.ts";
import { lowerCounters, raiseCounters } from "./counters.ts";
import { describeHolder, isOwnDiff, lockTables } from "./fence.ts";
import { requireNewHomeOpen } from "./new-home-open.ts";
import type { Stray, StreamPort } from "./ports.ts";
import type { FenceKind } from "./switch-options.ts";

const LOCK_OF: Readonly<Record<FenceKind, "write" | "read" | undefined>> = {
  lock: "write",
  "lock-read": "read",
  none: undefined,
};

/**
 * Locks the tables on the old home itself, against everybody who does not come through a proxy, and a zombie that does. With
 * the fence `none` it does nothing.
 */
export async function fence(attempt: Attempt): Promise<void> {
  const mode = LOCK_OF[fenceOf(attempt.options)];
  if (mode === undefined) return;
  await lockTables({
    session: oldSession(attempt),
    ports: attempt.ports,
    limits: attempt.options.limits,
    mode,
    tables: attempt.ends.tables,
    home: attempt.ends.oldHome,
    leftMs: () => attempt.holdDeadline?.leftMs() ?? Number.POSITIVE_INFINITY,
  });
  attempt.oldReady = mode === "write";
}

/**
 * Reads where the old home stands under its fence, lets the stream apply exactly that much, and seals the stream's
 * ledger, so that no late applier of this direction, in whatever process, can write to the new home any more.
 *
 * Then looks again: what came after that position must not touch the tables.
 */
export async function closeFeedingStream(attempt: Attempt): Promise<void> {
  const { ports, ends } = attempt;
  const cut = await oldSession(attempt).executed();
  attempt.cutPosition = cut;
  checkBudget(attempt);
  attempt.countersLevel = countersAreLevel(attempt);
  const stream = ports.stream(ends.feeding);
  await Promise.all([bringToCut(attempt, stream, cut), requireNewHomeOpen(attempt)]);
  await requireNoDrift(attempt, stream);
  // Given up, this step goes on beside the abort: it must not seal a ledger then.
  checkBudget(attempt);
  const [looked, closed] = await Promise.allSettled([oldSession(attempt).executed(), stream.seal(attempt.token)]);
  // Neither may be under way when an abort begins: a ledger that is sealed late would stop the stream that goes on.
  if (closed.status === "rejected") throw closed.reason;
  if (looked.status === "rejected") throw looked.reason;
  attempt.sealedPosition = closed.value;
  const now = looked.value;
  if (now !== cut) await requireNoStrays(attempt, "old", now, cut);
}

/** Once clients wait, a stream that is kept from its last rows is not only late: who keeps it is said. */
async function bringToCut(attempt: Attempt, stream: StreamPort, cut: string): Promise<void> {
  const { ends, options, holdDeadline } = attempt;
  try {
    await stream.stopAt(cut, { timeoutMs: Math.max(1, holdDeadline?.leftMs() ?? options.limits.holdBudgetMs) });
  } catch (cause) {
    if (!isSwitchyardError(cause, "TIMEOUT")) throw cause;
    const { retrying } = await stream.health();
    throw new SwitchyardError("CUTOVER_STREAM_LATE", {
      what: `the ${ends.feeding} stream did not apply all of ${ends.oldHome} while clients were held`,
      details: [
        ...(retrying === undefined ? [] : [`it tries again after ${retrying}`]),
        ...(await keepersOfNewHome(attempt)),
      ],
      fix: "Try again when nothing keeps it, or when there is less to apply.",
      cause,
    });
  }
}

/** Lines about who, or what, keeps the new home; none where it does not answer in time. */
async function keepersOfNewHome(attempt: Attempt): Promise<readonly string[]> {
  const session = newSession(attempt);
  const asked = Promise.all([session.standstill(), session.holders()]);
  if (!(await endsWithin(attempt.ports.clock, asked, LOOK_WHILE_HELD_MS))) return [];
  const [standstill, holders] = await asked.catch(() => [undefined, []] as const);
  const others = holders.filter((holder) => !holder.ours || isOwnDiff(holder)).map(describeHolder);
  return [...(standstill === undefined ? [] : [standstill]), ...others].map(
    (keeper) => `on ${attempt.ends.newHome}: ${keeper}`,
  );
}

/** What the gate has found may have changed since: rows that came last can be the ones that were not as expected. */
async function requireNoDrift(attempt: Attempt, stream: StreamPort): Promise<void> {
  const { drift, ddl } = await stream.health();
  if ((drift === 0 && ddl === 0) || attempt.options.force !== undefined) return;
  throw new SwitchyardError("CUTOVER_ABORTED", {
    what: `the new home is not known to be equal: ${drift} rows were not as expected, and ${ddl} DDL statements came`,
    fix: "Run `switchyard diff start`, and try again when it is clean.",
  });
}

/** A look beside the stream's work, while clients wait for both; a look that fails is taken again when it is needed. */
function countersAreLevel(attempt: Attempt): Promise<boolean> {
  return lowerCounters(oldSession(attempt), newSession(attempt)).then(
    (lower) => lower.length === 0,
    () => false,
  );
}

/**
 * Brings the counters level, now that nothing can raise them on the old home. Those of the new home were set ahead
 * before the hold, so as a rule the first look under the fence has found them level.
 */
export async function levelCounters(attempt: Attempt): Promise<void> {
  checkBudget(attempt);
  if ((await attempt.countersLevel) === true) return;
  await raiseCounters(oldSession(attempt), newSession(attempt), attempt.token, 0n);
}

/** Makes sure that nobody but our stream has written to the tables on the new home since its fences went. */
export async function checkNewHome(attempt: Attempt): Promise<void> {
  const { sealedPosition } = attempt;
  checkBudget(attempt);
  if (sealedPosition === undefined)
    throw new SwitchyardError("INTERNAL_INVARIANT", { what: "the new home is looked at before the stream was closed" });
  await requireNoStrays(attempt, "new", sealedPosition);
}

async function requireNoStrays(attempt: Attempt, side: "old" | "new", to: string, after?: string): Promise<void> {
  const { ends, holdDeadline, options } = attempt;
  const [home, watch] = side === "old" ? [ends.oldHome, attempt.oldWatch] : [ends.newHome, attempt.newWatch];
  if (watch === undefined) {
    throw new SwitchyardError("INTERNAL_INVARIANT", {
      what: `"${home}" is to be looked at for strays before it was watched`,
    });
  }
  const timeoutMs = Math.max(1, holdDeadline?.leftMs() ?? options.limits.holdBudgetMs);
  const strays = await watch.upTo(to, { timeoutMs, ...(after === undefined ? {} : { after }) });
  if (strays.length > 0) throw strayWrites(attempt, home, strays);
}

function strayWrites(attempt: Attempt, home: string, strays: readonly Stray[]): SwitchyardError {
  return new SwitchyardError("CUTOVER_STRAY_WRITES", {
    what: `somebody writes to the tables of migration "${attempt.ends.migration}" on ${home}, past Switchyard`,
    details: [
      ...strays.slice(0, 20).map(describeStray),
      ...(strays.length > 20 ? [`and ${strays.length - 20} more`] : []),
    ],
    fix: "Find who writes there and stop it, repair the rows (`switchyard diff`), and try again.",
  });
}

/** One line about a stray. */
export function describeStray(stray: Stray): string {
  return `${stray.what} on ${stray.table} in transaction ${stray.gtid}`;
}
