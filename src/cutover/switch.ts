import { isSwitchyardError, messageOf, SwitchyardError } from "../base/errors.ts";
import { abortInStore, clearAfterAbort, closeAttempt, reasonOf } from "./abort.ts";
import { type Attempt, endsOf, fenceOf, hasSwapped, newAttempt } from "./attempt.ts";
import { goForward } from "./forward.ts";
import { gateRefused, refusals, runGate } from "./gate.ts";
import { readState, type SwitchState } from "./journal.ts";
import { closeSessions, leaveSessions } from "./let-go.ts";
import type { GateFinding, SwitchPorts } from "./ports.ts";
import { settle } from "./settle.ts";
import { planLines, runInBudget, STEPS_OF_REHEARSAL, STEPS_TO_SWAP } from "./steps.ts";
import type { SwitchOptions } from "./switch-options.ts";
import type { SwitchOutcome } from "./switch-outcome.ts";
import { nextPhase } from "./transitions.ts";

/**
 * Moves the tables to their other home: `switch` from the source to the target, `rollback` back. Both run the same
 * steps with the ends exchanged.
 *
 * A rehearsal runs the same steps up to the swap, for real, and then takes all of it back as an abort does.
 *
 * To be called by the leading controller, once at a time for a migration. An attempt that an earlier controller left
 * behind is settled first. Resolves with how it ended, see {@link SwitchOutcome}.
 *
 * @throws {SwitchyardError} `CUTOVER_PHASE_REFUSED`, `CUTOVER_MIGRATION_UNKNOWN`, `CUTOVER_FORMAT_NEWER`, or what the store throws before the attempt has begun. Nothing was changed then.
 */
export async function runSwitch(ports: SwitchPorts, options: SwitchOptions): Promise<SwitchOutcome> {
  const state = await readSettled(ports, options);
  const attempt = newAttempt(ports, options, state, ports.newToken());
  requirePhase(state, options);
  ports.progress("check the gate");
  const findings = await gateOf(ports, options, state);
  const refused = refusals(findings, options.force);
  if (refused.length > 0) return { outcome: "refused", findings, error: gateRefused(attempt.ends, refused) };
  await ports.failpoint("switch-after-gate");
  try {
    for (const step of options.rehearse === true ? STEPS_OF_REHEARSAL : STEPS_TO_SWAP) await runInBudget(step, attempt);
  } catch (error) {
    return await abort(attempt, error);
  }
  return options.rehearse === true ? await endRehearsal(attempt) : await goForward(attempt);
}

/** What a switch would do and what its gate says now. Changes nothing but rows of the sidecar. */
export async function planSwitch(
  ports: SwitchPorts,
  options: SwitchOptions,
): Promise<{
  readonly steps: readonly string[];
  readonly findings: readonly GateFinding[];
  readonly refused: boolean;
}> {
  const state = await readState(ports.store, options.migration);
  requirePhase(state, options);
  const findings = await gateOf(ports, options, state);
  const ends = endsOf(state.migration.document, options.kind);
  return { steps: planLines(ends, options), findings, refused: refusals(findings, options.force).length > 0 };
}

async function gateOf(ports: SwitchPorts, options: SwitchOptions, state: SwitchState): Promise<readonly GateFinding[]> {
  const { limits, openTransactions = "wait" } = options;
  return await runGate({
    ports,
    ends: endsOf(state.migration.document, options.kind),
    limits,
    openTransactions,
    fence: fenceOf(options),
    state,
  });
}

async function readSettled(ports: SwitchPorts, options: SwitchOptions): Promise<SwitchState> {
  const state = await readState(ports.store, options.migration);
  if (state.migration.document.attempt === undefined) return state;
  await settle(ports, { migration: options.migration, who: options.who, limits: options.limits });
  return await readState(ports.store, options.migration);
}

function requirePhase(state: SwitchState, options: SwitchOptions): void {
  const { document } = state.migration;
  if (document.attempt !== undefined) {
    throw new SwitchyardError("CUTOVER_UNFINISHED", {
      what: `an earlier attempt on migration "${document.id}" could not be settled yet`,
      changed: "Nothing was changed by this one.",
      fix: "The leading controller keeps trying; `switchyard migration history` says what stands in the way.",
    });
  }
  nextPhase(document.id, document.phase, options.kind === "switch" ? "switch-armed" : "rollback-armed");
}

/** Takes back what a rehearsal has done. Nobody else can have swapped: its token is in no rules. */
async function endRehearsal(attempt: Attempt): Promise<SwitchOutcome> {
  const { kind, migration } = attempt.ends;
  const steps = [...attempt.times];
  const what = `the rehearsal of the ${kind} of migration "${migration}" has done all but the swap`;
  const outcome = await abort(attempt, new SwitchyardError("CUTOVER_ABORTED", { what }));
  return outcome.outcome === "aborted"
    ? { outcome: "rehearsed", heldMs: outcome.heldMs, steps, notes: outcome.notes }
    : outcome;
}

/**
 * Ends an attempt that failed before its swap was known. The store decides first; only then the servers are cleared.
 *
 * A controller that learns that it no longer leads leaves its sessions as they are: they hold the fence until the new
 * leader has settled the rules and KILLs them.
 */
async function abort(attempt: Attempt, error: unknown): Promise<SwitchOutcome> {
  const { ports, ends, token, options } = attempt;
  const reason = asAbortReason(attempt, error);
  ports.log.warn({ migration: ends.migration, error: messageOf(error) }, `${ends.kind} is being aborted`);
  ports.progress(`abort: ${reason.facts.what}`);
  let heldMs = 0;
  try {
    const decision = await abortInStore(ports, { ends, token, who: options.who, reason: reasonOf(reason) });
    if (decision === "swapped") {
      attempt.swappedAtMs ??= ports.clock.monotonicMs();
      attempt.state = await readState(ports.store, ends.migration);
      return await goForward(attempt);
    }
    // The hold is out of the rules; what is left to do keeps no client waiting.
    heldMs = attempt.heldAtMs === undefined ? 0 : ports.clock.monotonicMs() - attempt.heldAtMs;
    if (decision === "aborted") await clear(attempt);
  } catch (failure) {
    await leaveSessions(attempt);
    if (isSwitchyardError(failure, "CUTOVER_SUPERSEDED")) return { outcome: "superseded", reason: failure };
    return { outcome: "unsettled", switched: undefined, reason: unknownOutcome(attempt, failure) };
  }
  await closeSessions(attempt);
  return { outcome: "aborted", reason, heldMs, notes: attempt.notes };
}

/** Clears the servers; what cannot be done now is left in the journal for the next settling. */
async function clear(attempt: Attempt): Promise<void> {
  const { ports, ends, token, options } = attempt;
  const sessions = { old: attempt.oldSession, new: attempt.newSession };
  try {
    const { document } = attempt.state.migration;
    await clearAfterAbort({ ports, ends, limits: options.limits, document, token, sessions });
    await closeAttempt(ports, ends, token, options.who);
  } catch (error) {
    if (isSwitchyardError(error, "CUTOVER_SUPERSEDED")) throw error;
    attempt.notes.push(`not everything is cleared away yet: ${messageOf(error)}`);
    ports.log.warn(
      { migration: ends.migration, error: messageOf(error) },
      "the servers could not be cleared after an abort",
    );
  }
}

function asAbortReason(attempt: Attempt, error: unknown): SwitchyardError {
  if (isSwitchyardError(error)) return error;
  return new SwitchyardError("CUTOVER_ABORTED", {
    what: `the ${attempt.ends.kind} of migration "${attempt.ends.migration}" failed: ${messageOf(error)}`,
    cause: error,
  });
}

function unknownOutcome(attempt: Attempt, cause: unknown): SwitchyardError {
  const known = attempt.swappedAtMs !== undefined || hasSwapped(attempt.state.migration.document, attempt.token);
  return new SwitchyardError(known ? "CUTOVER_UNFINISHED" : "CUTOVER_OUTCOME_UNKNOWN", {
    what: `this controller had to stop before it knew how the ${attempt.ends.kind} of migration "${attempt.ends.migration}" ended`,
    details: [messageOf(cause)],
    changed: "The fence on the old home stays for as long as this process lives; proxies ask the store by themselves.",
    fix: "The next leading controller finds out and finishes; `switchyard migration status` shows it.",
    cause,
  });
}
