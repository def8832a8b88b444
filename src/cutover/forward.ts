import { backoffMs } from "../base/backoff.ts";
import { isSwitchyardError, messageOf, SwitchyardError } from "../base/errors.ts";
import { closeAttempt } from "./abort.ts";
import { answerInTime } from "./answer-in-time.ts";
import { type Attempt, dropSession } from "./attempt.ts";
import { updateMigration, withHistory } from "./journal.ts";
import { closeSessions, leaveSessions } from "./let-go.ts";
import { ProxyView } from "./proxy-view.ts";
import { regainOldHome } from "./step-release.ts";
import { runStep, STEPS_AFTER_SWAP } from "./steps.ts";
import type { SwitchOutcome } from "./switch-outcome.ts";

/** How often the steps after the swap are gone over before the rest is left to the next settling. */
const ROUNDS_MAX = 5;

/**
 * Finishes an attempt whose swap is a fact: release, lasting fence, unlock, the stream back.
 *
 * First one round trip on the session that holds the fence. Its answer proves that the old home was locked throughout
 * the swap. Where there is no answer in time, or no session (a takeover), this controller makes sure that it still leads,
 * locks the old home again, and what reached it meanwhile is found in its binary log and reported.
 */
export async function goForward(attempt: Attempt): Promise<SwitchOutcome> {
  const { ports, ends, token } = attempt;
  for (let round = 0; ; round += 1) {
    try {
      await holdFence(attempt);
      attempt.proxies ??= await ProxyView.open(ports);
      for (const step of STEPS_AFTER_SWAP) await runStep(step, attempt);
      await closeAttempt(ports, ends, token, attempt.options.who);
      await closeSessions(attempt);
      return switched(attempt);
    } catch (error) {
      if (isSwitchyardError(error, "CUTOVER_SUPERSEDED")) {
        await leaveSessions(attempt);
        return { outcome: "superseded", reason: error };
      }
      ports.log.warn(
        { migration: ends.migration, error: messageOf(error) },
        "a step after the swap failed; it is gone over again",
      );
      if (round + 1 >= ROUNDS_MAX || ports.signal.aborted) return await leave(attempt, error);
      // A session that may be lost is not used again; its lock, if it still stands, is taken over without a gap.
      if (attempt.newSession?.lost.aborted === true) dropSession(attempt, "newSession");
      else if (!isSwitchyardError(error, "CUTOVER_CONNECTIONS_REMAIN")) dropSession(attempt, "oldSession");
      await ports.clock.sleep(backoffMs(round, { firstMs: 50, maxMs: 1000 }, 0.5), ports.signal).catch(() => undefined);
    }
  }
}

/** Makes sure that the session on the old home stands and holds what it held at the swap, or regains it. */
async function holdFence(attempt: Attempt): Promise<void> {
  const { ports, ends } = attempt;
  if (attempt.oldSession !== undefined) {
    try {
      return await answerInTime(ports.clock, ends.oldHome, attempt.oldSession.prove());
    } catch (error) {
      attempt.notes.push(`the session that fenced ${ends.oldHome} was lost around the swap; it was fenced again`);
      ports.log.error(
        { migration: ends.migration, error: messageOf(error) },
        "the fence's session was lost around the swap",
      );
      dropSession(attempt, "oldSession");
    }
  }
  // Only a controller that leads now may take the session from whoever has it.
  await updateMigration(ports.store, ends.migration, ports.leadership(), (document) =>
    withHistory(document, {
      at: ports.clock.now().toISOString(),
      who: attempt.options.who,
      what: `goes on with the ${ends.kind} after its swap: ${ends.oldHome} is fenced again`,
    }),
  ).catch((error: unknown) => {
    throw isSwitchyardError(error, "CUTOVER_JOURNAL_CHANGED")
      ? new SwitchyardError("CUTOVER_SUPERSEDED", { what: "this controller does not lead any more", cause: error })
      : error;
  });
  await regainOldHome(attempt);
}

function switched(attempt: Attempt): SwitchOutcome {
  const { heldAtMs, swappedAtMs } = attempt;
  const { document } = attempt.state.migration;
  return {
    outcome: "switched",
    switchId: document.switchId,
    generation: document.generation,
    pauseMs: heldAtMs === undefined || swappedAtMs === undefined ? 0 : swappedAtMs - heldAtMs,
    steps: attempt.times,
    strays: attempt.strays,
    notes: attempt.notes,
  };
}

/** The lock stays with the session until the next settling has taken it over. */
async function leave(attempt: Attempt, error: unknown): Promise<SwitchOutcome> {
  await leaveSessions(attempt);
  const reason = new SwitchyardError("CUTOVER_UNFINISHED", {
    what: `the ${attempt.ends.kind} of migration "${attempt.ends.migration}" is a fact, but is not finished`,
    details: [messageOf(error)],
    changed: `The tables are at home on ${attempt.ends.newHome}.`,
    fix: "The leading controller goes on with it by itself; `switchyard migration status` shows when it is done.",
    cause: error,
  });
  return { outcome: "unsettled", switched: true, reason };
}
