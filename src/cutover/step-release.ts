import { SwitchyardError } from "../base/errors.ts";
import { type Attempt, checkSessions, dropSession, fenceOf, newSession, oldSession, proxyView } from "./attempt.ts";
import { describeHolder, readersHaveEnded } from "./fence.ts";
import { LEFT_GUARDS_REFUSE, takeGuardsOff } from "./guard-removal.ts";
import { readMigration } from "./journal.ts";
import type { OpenSession } from "./ports.ts";
import type { RegisteredProxy } from "./proxy-view.ts";
import { endConnections } from "./vanished.ts";
import { describeDdl, endWaitingDdl, type WaitingDdl } from "./waiting-ddl.ts";

/**
 * Waits until every proxy sends the tables' statements to their new home. The connections to the old home of a proxy
 * that does not say so in time are KILLed: unlocked, they could still read there what is no longer true.
 *
 * @throws {SwitchyardError} `CUTOVER_CONNECTIONS_REMAIN` when they do not leave; the lock must then stay.
 */
export async function release(attempt: Attempt): Promise<void> {
  const generation = attempt.state.migration.document.generation;
  let late: readonly RegisteredProxy[] = [];
  const done = await proxyView(attempt).waitFor(attempt.options.limits.releaseTimeoutMs, (proxies) => {
    checkSessions(attempt);
    late = proxies.filter((proxy) => proxy.document.generation < generation);
    return late.every((proxy) => !proxy.alive) ? true : undefined;
  });
  if (late.length === 0) return;
  const killed = await endConnections(attempt, oldSession(attempt), late);
  const names = late.map((proxy) => proxy.document.id).join(", ");
  attempt.notes.push(
    `${done === true ? "proxies without a sign of life" : "proxies that did not take the new rules in time"}: ${names}; ` +
      `${killed} of their connections to ${attempt.ends.oldHome} were KILLed`,
  );
}

/**
 * Looks in the old home's binary log for writes to the tables that came after the cut and are not ours. There are none
 * if the lock was held throughout; where it was not, they are what a person has to look at.
 */
export async function findStrays(attempt: Attempt): Promise<void> {
  const { ports, ends } = attempt;
  const cut = attempt.state.migration.document.cutPosition;
  if (cut === undefined) return;
  const now = await oldSession(attempt).executed();
  if (now === cut) return;
  // Whoever has taken over, or looks again after a failure, watches from the cut on.
  const watch = attempt.oldWatch ?? (await ports.home(ends.oldHome).watchStrays(cut));
  attempt.oldWatch = undefined;
  try {
    attempt.strays = await watch.upTo(now, { timeoutMs: attempt.options.limits.armTimeoutMs, after: cut });
  } finally {
    await watch.close().catch(() => undefined);
  }
  if (attempt.strays.length > 0) {
    attempt.notes.push(`${attempt.strays.length} writes reached ${ends.oldHome} past the proxies after the cut`);
  }
}

/** Makes the fence lasting, while the lock is still held. */
export async function fenceForGood(attempt: Attempt): Promise<void> {
  await oldSession(attempt).installFences(attempt.token);
}

/**
 * Triggers need a lock that no reader stands beside. Where there is only one for reading, the readers that were let in are
 * waited for, with all writers still locked out. Then a session that locks for writing takes over from the one that does
 * not: from when it queues for the tables, no writer gets in.
 */
export async function lockForWriting(attempt: Attempt): Promise<void> {
  const { ports, ends } = attempt;
  if (attempt.oldReady) return;
  if (fenceOf(attempt.options) === "lock-read") {
    await readersHaveEnded(oldSession(attempt), ports, (readers) =>
      ports.progress(`wait for who reads the tables on ${ends.oldHome}: ${readers.map(describeHolder).join("; ")}`),
    );
  }
  const writing = await ports.home(ends.oldHome).open({ takeOver: "keep-lock", ...howToRegain(attempt) });
  // Its lock is gone, but it has a second connection that would stay.
  dropSession(attempt, "oldSession");
  attempt.oldSession = writing;
  attempt.oldReady = true;
}

/**
 * Unlocks the old home. Definition statements that wait there are ended first: no trigger would refuse them, and the way back would
 * meet tables that are not what they were at the swap.
 */
export async function unlockOldHome(attempt: Attempt): Promise<void> {
  const session = oldSession(attempt);
  const { clock } = attempt.ports;
  const timeoutMs = attempt.options.limits.killTimeoutMs;
  const { ended, left } = await endWaitingDdl({
    look: () => session.waitingDdl(),
    interrupt: (ids) => session.interrupt(ids),
    clock,
    timeoutMs,
  });
  noteEndedDdl(attempt, ended);
  if (left.length > 0) {
    attempt.notes.push(
      `DDL still waits for the tables on ${attempt.ends.oldHome} ${timeoutMs} ms after KILL QUERY, and may be carried out there: ` +
        left.map(describeDdl).join("; "),
    );
  }
  await session.unlock();
}

function noteEndedDdl(attempt: Attempt, ended: readonly WaitingDdl[]): void {
  if (ended.length === 0) return;
  const { migration, oldHome, newHome } = attempt.ends;
  const lines = ended.map(describeDdl);
  attempt.ports.log.warn({ migration, ended: lines }, "DDL that waited for the tables on their old home was ended");
  attempt.notes.push(
    `DDL that waited for the tables on ${oldHome} was ended there (error 1317), since they are at home on ${newHome} now: ${lines.join("; ")}`,
  );
}

/**
 * From now on the new home's writes flow back, so that the move can be undone.
 *
 * First the stream that fed the new home is retired: a controller that was stopped with that stream in its hands could
 * otherwise claim it again when it wakes, long after the tables have moved back, and apply everything twice.
 */
export async function startReturnStream(attempt: Attempt): Promise<void> {
  const { document } = attempt.state.migration;
  await attempt.ports.stream(attempt.ends.feeding).retire(document.attempt?.feedingToken);
  await attempt.ports.failpoint("switch-after-retirement");
  await attempt.ports.stream(attempt.ends.returning).start(attempt.token);
}

/** Somebody waits for the command; guards that stay refuse no proxy's client. */
const GUARDS_TIMEOUT_MS = 1000;

/**
 * Takes the guards off the new home. What cannot go is left, open to everybody, and said: the next move takes it off under
 * its lock.
 */
export async function removeGuards(attempt: Attempt): Promise<void> {
  const { ports, ends, token } = attempt;
  const stillOurs = (): Promise<void> => requireOurs(attempt);
  attempt.newSession ??= await ports.home(ends.newHome).open({ takeOver: "kill-holder", stillOurs });
  const wait = { clock: ports.clock, timeoutMs: GUARDS_TIMEOUT_MS, signal: ports.signal };
  if (await takeGuardsOff(newSession(attempt), token, wait)) return;
  await ports.home(ends.newHome).openGuards(token, ports.signal);
  attempt.notes.push(
    `triggers are left on ${ends.newHome}: long transactions kept their tables. ${LEFT_GUARDS_REFUSE}`,
  );
}

/**
 * Opens a session on the old home that can go on after the swap, where the one that fenced it is gone: it takes the
 * lock over without a gap if somebody still holds it, and locks anew if nobody does. If the lasting fence stands
 * already, no lock is needed.
 */
export async function regainOldHome(attempt: Attempt): Promise<void> {
  const { ports, ends, token } = attempt;
  const home = ports.home(ends.oldHome);
  const fences = await home.inspect((view) => view.fences());
  const fenced = ends.tables.every((table) => fences.some((f) => f.table === table && f.token === token && f.complete));
  // From here on it is the attempt's, to be left or closed with it: where the store does not answer now, the lock stays, as
  // the old home may be open without it.
  attempt.oldSession = await home.open({ takeOver: fenced ? "kill-holder" : "keep-lock", ...howToRegain(attempt) });
  attempt.oldReady = true;
  await requireOurs(attempt);
}

/** Readers that the fence has let in may stay for as long as they like; with the others none has been there for long. */
function howToRegain(attempt: Attempt): Omit<OpenSession, "takeOver"> {
  const stillOurs = (): Promise<void> => requireOurs(attempt);
  const ddlEnded = (ended: readonly WaitingDdl[]): void => noteEndedDdl(attempt, ended);
  const how = { stillOurs, ddlEnded };
  return fenceOf(attempt.options) === "lock" ? how : { ...how, patience: attempt.ports.signal };
}

/**
 * A controller that has finished this attempt since KILLs whoever holds the sessions' lock: either this read shows that, or
 * the KILL finds a session that was opened before.
 *
 * @throws {SwitchyardError} `CUTOVER_SUPERSEDED` when another controller has finished the attempt.
 */
async function requireOurs({ ports, ends, token }: Attempt): Promise<void> {
  const { document } = await readMigration(ports.store, ends.migration);
  if (document.attempt?.token === token) return;
  throw new SwitchyardError("CUTOVER_SUPERSEDED", {
    what: `the ${ends.kind} of migration "${ends.migration}" was finished by another controller`,
  });
}
