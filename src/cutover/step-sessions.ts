import { SwitchyardError } from "../base/errors.ts";
import { type Attempt, isUnderWay, newSession, oldSession } from "./attempt.ts";
import { raiseCounters } from "./counters.ts";
import { readMigration } from "./journal.ts";

/**
 * Opens the migration's sessions on both servers, and makes sure afterwards that the attempt is still its own.
 *
 * The order matters: the next controller ends this attempt in the journal first and then KILLs whoever holds the sessions'
 * lock. So either the journal read here shows the end, or the KILL finds the session that was opened before.
 */
export async function openSessions(attempt: Attempt): Promise<void> {
  const { ports, ends, token } = attempt;
  // No diff runs beside a switch: what is left of one would keep the tables.
  const wanted = { takeOver: "never", endDiffs: true } as const;
  attempt.oldSession = await ports.home(ends.oldHome).open({ ...wanted, serverUuid: ends.oldUuid });
  attempt.newSession = await ports.home(ends.newHome).open({ ...wanted, serverUuid: ends.newUuid });
  const { document } = await readMigration(ports.store, ends.migration);
  if (isUnderWay(document, token)) return;
  throw new SwitchyardError("CUTOVER_SUPERSEDED", {
    what: `the attempt on migration "${ends.migration}" was ended by another controller`,
    changed: "Nothing was done to the servers.",
  });
}

/**
 * Makes the new home ready to take writes while clients still work on the old one: begins to watch it for writes that
 * are not ours, replaces the fences that an earlier switch has left there, and sets its counters ahead.
 *
 * The stream back will begin where the watch begins. What the new home gets between here and the swap is ours, which that
 * stream passes over, or a stray, and then there is no swap; so the position need not be written while clients wait.
 *
 * Taking the fences away within the pause would cost clients some milliseconds for each table. So they give way now, to
 * guards that refuse the same writes, but let the proxies' clients pass with one round trip just before the swap, and by
 * themselves if this session should end: a home that is in use can never be shut to them by what an attempt has left behind.
 *
 * Both watches begin here and are waited for: a server that is asked for its newest transactions first reads its newest log
 * from the beginning, for some 40 ms where it holds 100 MB. The old home's is of use for what
 * comes behind the cut.
 */
export async function clearNewHome(attempt: Attempt): Promise<void> {
  const { ports, ends, token } = attempt;
  const session = newSession(attempt);
  // Read before the fences go: nothing can slip in between the fence and the watch.
  const from = await session.executed();
  if ((await session.fences()).length > 0) {
    await session.installGuards(token);
    await requireNoFences(attempt);
  }
  attempt.newWatch = await ports.home(ends.newHome).watchStrays(from, ends.newUuid);
  const fromOld = await oldSession(attempt).executed();
  attempt.oldWatch = await ports.home(ends.oldHome).watchStrays(fromOld, ends.oldUuid);
  await ports.stream(ends.returning).writeStart(token, from);
  const ahead = BigInt(attempt.options.limits.autoIncrementAhead);
  await raiseCounters(oldSession(attempt), session, token, ahead);
  await Promise.all([attempt.newWatch.underWay(), attempt.oldWatch.underWay()]);
}

async function requireNoFences(attempt: Attempt): Promise<void> {
  const left = await newSession(attempt).fences();
  if (left.length === 0) return;
  throw new SwitchyardError("CUTOVER_FENCE_BLOCKED", {
    what: `fences of an earlier switch still stand on ${attempt.ends.newHome}: ${left.map((fence) => fence.table).join(", ")}`,
  });
}
