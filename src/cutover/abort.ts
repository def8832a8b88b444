import { messageOf, SwitchyardError } from "../base/errors.ts";
import { RULES_KEY } from "../rules/store-keys.ts";
import { answerInTime } from "./answer-in-time.ts";
import { hasSwapped } from "./attempt.ts";
import { decideInStore } from "./decide.ts";
import { lockTables } from "./fence.ts";
import { migrationKey, readMigration, unchanged, withHistory } from "./journal.ts";
import type { MigrationDocument } from "./migration-document.ts";
import type { HomeSession, OpenSession, SwitchEnds, SwitchPorts } from "./ports.ts";
import { withoutAttempt } from "./rules-changes.ts";
import type { SwitchLimits } from "./switch-options.ts";
import { nextPhase } from "./transitions.ts";

/** How the store stands after {@link abortInStore}. */
export type AbortDecision =
  /** The rules are certain not to be swapped by this attempt; the servers are still to be cleared. */
  | "aborted"
  /** The swap had been applied: the switch is a fact. */
  | "swapped"
  /** The journal knows the attempt no more, or never did. Nothing is left to do. */
  | "gone";

export interface AbortOrder {
  readonly ends: SwitchEnds;
  readonly token: string;
  readonly who: string;
  readonly reason: string;
}

/**
 * Settles an attempt in the store, before anything is undone on a server: either the swap turns out to have been
 * applied, or this transaction removes hold and arming under new revisions, after which a swap that is still on its
 * way cannot apply.
 *
 * Goes on until the store has answered or the controller must stop; meanwhile the fence stays.
 *
 * @throws {SwitchyardError} `CUTOVER_SUPERSEDED`, `CANCELLED`
 */
export async function abortInStore(ports: SwitchPorts, order: AbortOrder): Promise<AbortDecision> {
  const { ends, token } = order;
  return await decideInStore<AbortDecision>(ports, ends.migration, (state) => {
    const { document } = state.migration;
    if (hasSwapped(document, token)) return { done: "swapped" };
    if (document.attempt?.token === token && document.attempt.state === "aborting") return { done: "aborted" };
    const known = document.attempt?.token === token;
    if (!known && document.attempt !== undefined) return { done: "gone" };
    const migration = abortedJournal(ports, order, document, known);
    const rules = withoutAttempt(state.rules.document, ends.migration);
    return {
      beforeWrite: () => ports.failpoint("abort-before-settled"),
      conditions: unchanged(state),
      writes: [
        // An attempt that the journal does not show may still be on its way there: the new revision keeps it out.
        ...(known ? [{ put: RULES_KEY, value: JSON.stringify(rules) }] : []),
        { put: migrationKey(ends.migration), value: JSON.stringify(migration) },
      ],
      written: () => (known ? "aborted" : "gone"),
    };
  });
}

function abortedJournal(
  ports: SwitchPorts,
  order: AbortOrder,
  document: MigrationDocument,
  known: boolean,
): MigrationDocument {
  const { ends } = order;
  const entry = {
    at: ports.clock.now().toISOString(),
    who: order.who,
    what: `${ends.kind} to ${ends.newHome} was aborted: the tables stay at home on ${ends.oldHome}`,
    reason: order.reason,
  };
  if (!known || document.attempt === undefined) return withHistory(document, entry);
  const phase = nextPhase(
    ends.migration,
    document.phase,
    ends.kind === "switch" ? "switch-aborted" : "rollback-aborted",
  );
  return withHistory({ ...document, phase, attempt: { ...document.attempt, state: "aborting" } }, entry);
}

/** What clears the servers after an abort. */
export interface ClearAfterAbort {
  readonly ports: SwitchPorts;
  readonly ends: SwitchEnds;
  readonly limits: SwitchLimits;
  readonly document: MigrationDocument;
  /** The attempt that is cleared away. */
  readonly token: string;
  /** Sessions of this controller; where one is missing or lost, whoever holds it on the server is KILLed. */
  readonly sessions: Readonly<Record<"old" | "new", HomeSession | undefined>>;
}

/**
 * Undoes on the servers what the attempt did, in this order: the old home is unlocked, the stream goes on, and the
 * fence that belongs on the other server stands again. May be repeated.
 */
export async function clearAfterAbort(work: ClearAfterAbort): Promise<void> {
  const { ports, ends } = work;
  await ports.failpoint("abort-after-settled");
  await releaseOldHome(work);
  await ports.failpoint("abort-after-unlock");
  const { fenceToken } = await requireAborting(work);
  // The attempt stays in the journal until its seal is known to be off the ledger: nobody would take it off afterwards.
  await ports.stream(ends.feeding).resume(work.token, fenceToken);
  await restoreFence(work);
  await ports.failpoint("abort-after-fence-restored");
}

async function releaseOldHome(work: ClearAfterAbort): Promise<void> {
  const { ports, ends } = work;
  const own = work.sessions.old;
  if (own !== undefined && !own.lost.aborted) {
    try {
      // Clients may stand behind this lock by now: the hold that had kept them back is over.
      return await answerInTime(
        ports.clock,
        ends.oldHome,
        own.unlock().then(() => own.close()),
      );
    } catch (error) {
      ports.log.warn(
        { migration: ends.migration, error: messageOf(error) },
        "the session on the old home was lost while it unlocked",
      );
    }
  }
  // A session that is lost to us may live on at the server, with its lock.
  await requireAborting(work);
  const session = await ports.home(ends.oldHome).open(takeOver(work));
  await session.close();
}

/** Where the tables had been moved before, the server that is not their home must refuse writes again. */
async function restoreFence(work: ClearAfterAbort): Promise<void> {
  const { ports, ends, limits, document } = work;
  const own = work.sessions.new;
  const usable = own !== undefined && (await answers(work, own));
  if (!usable) await requireAborting(work);
  const session = usable ? own : await ports.home(ends.newHome).open(takeOver(work));
  try {
    if (document.fenceToken === undefined) return;
    // A controller that has ended this attempt since KILLs whoever holds the session's lock: either this read shows the end,
    // or the KILL finds this session.
    await requireAborting(work);
    const token = document.fenceToken;
    const fences = await session.fences();
    if (ends.tables.every((table) => fences.some((f) => f.table === table && f.token === token && f.complete))) return;
    await lockTables({ session, ports, limits, mode: "write", tables: ends.tables, home: ends.newHome });
    await session.installFences(token);
    await session.unlock();
  } finally {
    await session.close().catch(() => undefined);
  }
}

/** Whether both connections of the session on the new home answer. */
async function answers({ ports, ends }: ClearAfterAbort, session: HomeSession): Promise<boolean> {
  if (session.lost.aborted) return false;
  return await answerInTime(ports.clock, ends.newHome, Promise.all([session.executed(), session.fences()])).then(
    () => true,
    () => false,
  );
}

function takeOver(work: ClearAfterAbort): OpenSession {
  return { takeOver: "kill-holder", stillOurs: async () => void (await requireAborting(work)) };
}

/** @throws {SwitchyardError} `CUTOVER_SUPERSEDED` when another controller has ended the attempt. */
async function requireAborting({ ports, ends, token }: ClearAfterAbort): Promise<MigrationDocument> {
  const { document } = await readMigration(ports.store, ends.migration);
  if (document.attempt?.token === token && document.attempt.state === "aborting") return document;
  throw new SwitchyardError("CUTOVER_SUPERSEDED", {
    what: `the attempt on migration "${ends.migration}" was ended by another controller`,
  });
}

/** Removes the attempt from the journal: nothing of it is left anywhere. */
export async function closeAttempt(ports: SwitchPorts, ends: SwitchEnds, token: string, who: string): Promise<void> {
  await decideInStore<true>(ports, ends.migration, (state) => {
    const { document } = state.migration;
    if (document.attempt?.token !== token) return { done: true };
    const { attempt, ...rest } = document;
    const entry = {
      at: ports.clock.now().toISOString(),
      who,
      what:
        attempt.state === "aborting"
          ? `the servers are as before the ${ends.kind}`
          : `${ends.kind} to ${ends.newHome} is finished`,
    };
    return {
      conditions: unchanged(state),
      writes: [{ put: migrationKey(ends.migration), value: JSON.stringify(withHistory(rest, entry)) }],
      written: () => true,
    };
  });
}

/** The reason of an abort, for the history: the first line of its error. */
export function reasonOf(error: SwitchyardError): string {
  return [error.facts.what, ...(error.facts.details ?? []).slice(0, 5)].join("; ");
}
