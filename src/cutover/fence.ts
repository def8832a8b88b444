import { deadlineIn } from "../base/deadline.ts";
import { SwitchyardError } from "../base/errors.ts";
import type { HomeSession, LockHolder, SwitchPorts } from "./ports.ts";
import type { SwitchLimits } from "./switch-options.ts";

export interface LockTables {
  readonly session: HomeSession;
  readonly ports: SwitchPorts;
  readonly limits: SwitchLimits;
  readonly mode: "write" | "read";
  readonly tables: readonly string[];
  /** Name of the server, for messages. */
  readonly home: string;
  /** Further bound, for example what is left of the time for holding clients. */
  readonly leftMs?: () => number;
}

const POLL_MS = 3;
const READERS_POLL_MS = 50;
/** For so long an empty moment is hoped for, before the lock is tried in spite of statements that come and go. */
const QUIET_HOPE_MS = 50;
/** Attempts in all may take this many times `fenceWaitMs`. */
const ROUNDS = 3;

/**
 * Locks the tables in the migration's session, without making an open transaction of somebody else a deadlock's
 * victim: a table lock that is pending while a transaction holds one of the tables and reaches for another would be.
 * So transactions are waited for by looking, and the lock is sent when none of them stands there any more.
 *
 * Statements that merely come and go do not count as such; against those the lock is tried for `fenceWaitMs` at a
 * time, then taken back, because everybody queues behind it while it is pending.
 *
 * @throws {SwitchyardError} `CUTOVER_FENCE_BLOCKED`, naming who stood in the way; nothing is pending then.
 */
export async function lockTables(request: LockTables): Promise<void> {
  const { ports, limits } = request;
  const started = ports.clock.monotonicMs();
  const total = Math.min(ROUNDS * limits.fenceWaitMs, request.leftMs?.() ?? Number.POSITIVE_INFINITY);
  const deadline = deadlineIn(ports.clock, total);
  const firstSeen = new Map<string, number>();
  for (;;) {
    const holders = await inTheWay(request);
    const now = ports.clock.monotonicMs();
    const standing = standingOf(firstSeen, holders, now);
    const patient = now - started < limits.fenceWaitMs;
    if (standing.length > 0 ? !patient : deadline.passed) throw blocked(request, holders, now - started);
    if (standing.length > 0 || (holders.length > 0 && now - started < QUIET_HOPE_MS)) {
      await ports.clock.sleep(POLL_MS, ports.signal);
      continue;
    }
    const pendingMs = Math.max(1, Math.min(limits.fenceWaitMs, deadline.leftMs()));
    if (await request.session.lock(request.mode, pendingMs)) return;
  }
}

async function inTheWay(request: LockTables): Promise<readonly LockHolder[]> {
  const holders = await request.session.holders();
  return request.mode === "write" ? holders : holders.filter((holder) => holder.writes);
}

function blocked(request: LockTables, holders: readonly LockHolder[], waitedMs: number): SwitchyardError {
  return new SwitchyardError("CUTOVER_FENCE_BLOCKED", {
    what: `the tables on ${request.home} could not be locked within ${Math.round(waitedMs)} ms`,
    details:
      holders.length === 0
        ? ["no transaction was seen to hold them at the last look; new ones kept arriving"]
        : holders.map(describeHolder),
    fix: holders.some(isOwnDiff)
      ? "Try again: what a diff of ours has left is ended when a switch begins. Others are to be ended, or waited for."
      : `End these transactions, or wait until they have ended, and try again.${besideReaders(request.mode, holders)}`,
  });
}

function besideReaders(mode: "write" | "read", holders: readonly LockHolder[]): string {
  const readersOnly = mode === "write" && holders.length > 0 && holders.every(({ writes }) => !writes);
  return readersOnly ? " They only read: with --fence=lock-read the tables are locked beside them." : "";
}

/**
 * Waits until nobody but statements that come and go has the tables that the session has locked for reading. Who waits for
 * that very lock is not waited for: neither would ever end.
 */
export async function readersHaveEnded(
  session: HomeSession,
  { clock, signal }: Pick<SwitchPorts, "clock" | "signal">,
  tell: (readers: readonly LockHolder[]) => void,
): Promise<void> {
  const firstSeen = new Map<string, number>();
  for (let told = false; ; ) {
    const holders = await session.holders();
    const standing = standingOf(firstSeen, holders, clock.monotonicMs()).filter(({ waits }) => !waits);
    if (standing.length === 0) return;
    if (!told) tell(standing);
    told = true;
    await clock.sleep(READERS_POLL_MS, signal);
  }
}

/** Those that idle in a transaction, or were seen for longer than a statement takes that comes and goes. */
function standingOf(
  firstSeen: Map<string, number>,
  holders: readonly LockHolder[],
  now: number,
): readonly LockHolder[] {
  for (const { identity } of holders) if (!firstSeen.has(identity)) firstSeen.set(identity, now);
  return holders.filter((holder) => holder.idle || now - (firstSeen.get(holder.identity) ?? now) > QUIET_HOPE_MS);
}

/** Whether it is a session that a diff of ours has left: no other of ours keeps a table that a switch needs. */
export function isOwnDiff({ ours, role }: LockHolder): boolean {
  return ours && role === "diff";
}

/** One line about a session that holds tables. */
export function describeHolder(holder: LockHolder): string {
  const held = holder.by === "transaction" ? "open transaction" : holder.by;
  const state = holder.idle ? `${held}, idle` : "statement running";
  const client = holder.client === "" ? "" : `through a proxy from ${holder.client}`;
  const own = isOwnDiff(holder) ? "ours, of a diff" : "";
  const from = [holder.program, own, client].filter((part) => part !== "").join(", ");
  const who = `${holder.user}@${holder.host}${from === "" ? "" : ` (${from})`}`;
  const statement = holder.statement === "" ? "" : `, by: ${holder.statement}`;
  return `connection ${holder.connectionId} ${who}: ${state} for ${holder.seconds} s, holds ${holder.tables.join(", ")}${statement}`;
}
