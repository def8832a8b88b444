import { messageOf, SwitchyardError } from "../base/errors.ts";
import { abortInStore, clearAfterAbort, closeAttempt } from "./abort.ts";
import { endsOf, hasSwapped, newAttempt } from "./attempt.ts";
import { goForward } from "./forward.ts";
import { readState, type SwitchState } from "./journal.ts";
import type { SwitchPorts } from "./ports.ts";
import type { SwitchLimits } from "./switch-options.ts";
import type { SwitchOutcome } from "./switch-outcome.ts";

export interface SettleOptions {
  readonly migration: string;
  readonly who: string;
  readonly limits: SwitchLimits;
}

/**
 * Settles what an earlier controller left of a migration: to be called for each unfinished migration by a controller
 * that begins to run it, and again after an outcome of `unsettled` or an abort that could not be cleared.
 *
 * The rules are settled first: one transaction removes the hold under new revisions, or the journal shows that the
 * switch happened. Only then are the servers touched. Where it happened, the table lock passes from the old
 * controller's session to this one's without a gap, and the attempt goes on from the release; else the old sessions
 * are KILLed and all is as before.
 *
 * @returns `undefined` when nothing was left.
 */
export async function settle(ports: SwitchPorts, options: SettleOptions): Promise<SwitchOutcome | undefined> {
  let state = await readState(ports.store, options.migration);
  const left = state.migration.document.attempt;
  if (left === undefined) return undefined;
  ports.progress(`settle the ${left.kind} that ${left.who} began at ${left.startedAt}`);
  const ends = endsOf(state.migration.document, left.kind);
  if (!hasSwapped(state.migration.document, left.token)) {
    const reason = "its controller ended before it did";
    const decision = await abortInStore(ports, { ends, token: left.token, who: options.who, reason });
    if (decision === "gone") return undefined;
    state = await readState(ports.store, options.migration);
    if (decision === "aborted") return await clear(ports, options, state);
  }
  const { kind, fence } = left;
  const order = { ...options, kind, ...(fence === undefined ? {} : { fence }) };
  const attempt = newAttempt(ports, order, state, left.token);
  return await goForward(attempt);
}

async function clear(ports: SwitchPorts, options: SettleOptions, state: SwitchState): Promise<SwitchOutcome> {
  const { document } = state.migration;
  const left = document.attempt;
  const reason = new SwitchyardError("CUTOVER_ABORTED", { what: "the controller of the attempt ended before it did" });
  if (left === undefined) return { outcome: "aborted", reason, heldMs: 0, notes: [] };
  const ends = endsOf(document, left.kind);
  try {
    const sessions = { old: undefined, new: undefined };
    await clearAfterAbort({ ports, ends, limits: options.limits, document, token: left.token, sessions });
    await closeAttempt(ports, ends, left.token, options.who);
    return { outcome: "aborted", reason, heldMs: 0, notes: [] };
  } catch (cause) {
    const unfinished = new SwitchyardError("CUTOVER_UNFINISHED", {
      what: `the aborted ${left.kind} of migration "${document.id}" is not cleared away yet: ${messageOf(cause)}`,
      changed: `The tables are at home on ${ends.oldHome}.`,
      cause,
    });
    return { outcome: "unsettled", switched: false, reason: unfinished };
  }
}
