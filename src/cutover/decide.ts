import { backoffMs } from "../base/backoff.ts";
import type { Deadline } from "../base/deadline.ts";
import { isSwitchyardError, messageOf, SwitchyardError } from "../base/errors.ts";
import type { Compare, StoreWrite } from "../store/store.ts";
import { readState, type SwitchState } from "./journal.ts";
import type { SwitchPorts } from "./ports.ts";

/** What a state of the store calls for: it is as wanted already, or one transaction makes it so. */
export type Decision<T> =
  | { readonly done: T }
  | {
      readonly conditions: readonly Compare[];
      readonly writes: readonly StoreWrite[];
      /** Runs right before the transaction is sent; what it throws ends the whole decision. */
      readonly beforeWrite?: () => Promise<void>;
      /** What the decision is worth once the transaction has succeeded at `revision`. */
      readonly written: (revision: number) => T;
    };

/** Looks at a state; `unsure` says that an earlier transaction of the same decision may yet apply, or have applied. */
export type Plan<T> = (state: SwitchState, unsure: boolean) => Decision<T>;

export interface DecideOptions {
  /** Ends the attempts with `TIMEOUT`; without it they go on until the controller must stop. */
  readonly deadline?: Deadline;
  /** A state that was just read or written, to save the first read. */
  readonly from?: SwitchState;
}

/**
 * Brings the store to a wanted state, once, however many answers are lost.
 *
 * `plan` looks at a fresh state and either finds its own work done or says which transaction would do it, under the
 * revisions that it has just seen. An unknown outcome is therefore never guessed: the next read shows either the work
 * (done), or a state that still lacks it; then the transaction is sent again under that state's revisions, and the
 * late first one can no longer apply once this one has. `plan` throws where the state rules the work out.
 *
 * The leadership's conditions are part of every transaction; a controller that is no longer in charge ends with
 * `CUTOVER_SUPERSEDED`.
 *
 * @throws {SwitchyardError} what `plan` throws, `CUTOVER_SUPERSEDED`, `TIMEOUT`, `CANCELLED`
 */
export async function decideInStore<T>(
  ports: SwitchPorts,
  migration: string,
  plan: Plan<T>,
  options: DecideOptions = {},
): Promise<T> {
  let known = options.from;
  let unsure = false;
  for (let round = 0; ; round += 1) {
    const late = options.deadline?.passed === true;
    if (round > 0 && (late || ports.signal.aborted)) throw givenUp(late, migration);
    try {
      const state = known ?? (await readState(ports.store, migration));
      known = undefined;
      const decision = plan(state, unsure);
      if ("done" in decision) return decision.done;
      await decision.beforeWrite?.();
      const leadership = ports.leadership();
      const result = await ports.store.transact([...leadership, ...decision.conditions], decision.writes);
      if (result.succeeded) return decision.written(result.revision);
      await checkLeadership(ports, leadership);
    } catch (error) {
      if (!isSwitchyardError(error, "STORE_UNAVAILABLE", "STORE_OUTCOME_UNKNOWN")) throw error;
      known = undefined;
      unsure ||= error.code === "STORE_OUTCOME_UNKNOWN";
      ports.log.warn({ migration, error: messageOf(error) }, "the store did not answer; the state is read again");
      await pause(ports, round, options.deadline);
    }
  }
}

async function pause(ports: SwitchPorts, round: number, deadline: Deadline | undefined): Promise<void> {
  const wait = backoffMs(round, { firstMs: 10, maxMs: 1000 }, 0.5);
  await ports.clock.sleep(Math.max(1, Math.min(wait, deadline?.leftMs() ?? wait)), ports.signal);
}

/** @throws {SwitchyardError} `CUTOVER_SUPERSEDED` when the key that says who is in charge is no longer the one this controller wrote. */
export async function checkLeadership(
  ports: SwitchPorts,
  conditions: readonly Compare[] = ports.leadership(),
): Promise<void> {
  for (const condition of conditions) {
    const entry = await ports.store.get(condition.key);
    if ((entry?.revision ?? 0) !== condition.revision) {
      throw new SwitchyardError("CUTOVER_SUPERSEDED", {
        what: "this controller does not run the migration any more",
        changed: "The controller that runs it now settles the attempt.",
      });
    }
  }
}

function givenUp(late: boolean, migration: string): SwitchyardError {
  if (late)
    return new SwitchyardError("TIMEOUT", {
      what: `the store did not take a write of migration "${migration}" in time`,
    });
  return new SwitchyardError("CANCELLED", { what: "the controller was asked to stop" });
}
