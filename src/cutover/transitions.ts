import { SwitchyardError } from "../base/errors.ts";
import type { Phase } from "./phase.ts";

/** What can happen to a migration, as far as its phase is concerned. */
export const EVENTS = [
  /** The streams were set up and the first snapshot is about to be taken. */
  "copy-started",
  /** Every row of every table has been copied once. */
  "copy-finished",
  /** The forward stream has come near the head of the source's binary log. */
  "caught-up",
  /** The gate of a switch has passed; its attempt is written. */
  "switch-armed",
  /** The rules were swapped by a switch. */
  "switch-committed",
  /** A switch ended without a swap of the rules. */
  "switch-aborted",
  /** The gate of a rollback has passed; its attempt is written. */
  "rollback-armed",
  /** The rules were swapped by a rollback. */
  "rollback-committed",
  /** A rollback ended without a swap of the rules. */
  "rollback-aborted",
  /** The way back was given up. */
  "completed",
  /** The migration was given up. */
  "cancelled",
] as const;

export type EventType = (typeof EVENTS)[number];

/** What an event does in a phase: the phase that follows, why it changes nothing, or why it is refused. */
export type Transition = { readonly to: Phase } | { readonly stay: string } | { readonly refuse: string };

type Row = Readonly<Record<EventType, Transition>>;

const notCopied = { refuse: "the rows have not been copied yet" } as const;
const notRunning = { refuse: "the forward stream has not caught up yet" } as const;
const noSwitch = { refuse: "no switch is under way" } as const;
const noRollback = { refuse: "no rollback is under way" } as const;
const notSwitched = { refuse: "nothing has been switched" } as const;
const alreadySwitched = { refuse: "the tables are already at home on the target; `rollback` moves them back" } as const;
const copied = { stay: "the rows are copied already; a stream that starts again goes on from its ledger" } as const;
const midSwitch = { refuse: "a switch is under way; wait until it has ended" } as const;
const midRollback = { refuse: "a rollback is under way; wait until it has ended" } as const;
const ended = { refuse: "the migration is complete; there is no way back" } as const;
const gone = { refuse: "the migration was cancelled" } as const;

function everything(cell: Transition, except: Partial<Row>): Row {
  const row = Object.fromEntries(EVENTS.map((event) => [event, cell])) as Record<EventType, Transition>;
  return { ...row, ...except };
}

/**
 * Every phase against every event. A new phase or event does not compile until each of its cells is decided: the two
 * final phases, which refuse all but themselves, are the only rows that are filled in.
 *
 * A failed or paused stream is not a phase: it leaves the migration where it was, and resuming tries again. A switch
 * or rollback whose outcome is unknown stays in `switching` or `rolling-back`: only reading the store leaves them.
 */
export const TRANSITIONS: Readonly<Record<Phase, Row>> = {
  created: {
    "copy-started": { to: "copying" },
    "copy-finished": { refuse: "no copy was started" },
    "caught-up": notCopied,
    "switch-armed": notCopied,
    "switch-committed": noSwitch,
    "switch-aborted": noSwitch,
    "rollback-armed": notSwitched,
    "rollback-committed": noRollback,
    "rollback-aborted": noRollback,
    completed: notSwitched,
    cancelled: { to: "cancelled" },
  },
  copying: {
    "copy-started": { stay: "a copy that starts again goes on from its checkpoints" },
    "copy-finished": { to: "catching-up" },
    "caught-up": notCopied,
    "switch-armed": notCopied,
    "switch-committed": noSwitch,
    "switch-aborted": noSwitch,
    "rollback-armed": notSwitched,
    "rollback-committed": noRollback,
    "rollback-aborted": noRollback,
    completed: notSwitched,
    cancelled: { to: "cancelled" },
  },
  "catching-up": {
    "copy-started": copied,
    "copy-finished": copied,
    "caught-up": { to: "running" },
    "switch-armed": notRunning,
    "switch-committed": noSwitch,
    "switch-aborted": noSwitch,
    "rollback-armed": notSwitched,
    "rollback-committed": noRollback,
    "rollback-aborted": noRollback,
    completed: notSwitched,
    cancelled: { to: "cancelled" },
  },
  running: {
    "copy-started": copied,
    "copy-finished": copied,
    "caught-up": { stay: "it is known already; a stream that falls behind later only shows as lag" },
    "switch-armed": { to: "switching" },
    "switch-committed": noSwitch,
    "switch-aborted": { stay: "the attempt has been aborted already" },
    "rollback-armed": notSwitched,
    "rollback-committed": { stay: "the rollback is a fact already" },
    "rollback-aborted": noRollback,
    completed: notSwitched,
    cancelled: { to: "cancelled" },
  },
  switching: {
    "copy-started": midSwitch,
    "copy-finished": midSwitch,
    "caught-up": midSwitch,
    "switch-armed": midSwitch,
    "switch-committed": { to: "switched" },
    "switch-aborted": { to: "running" },
    "rollback-armed": midSwitch,
    "rollback-committed": noRollback,
    "rollback-aborted": noRollback,
    completed: midSwitch,
    cancelled: midSwitch,
  },
  switched: {
    "copy-started": copied,
    "copy-finished": copied,
    "caught-up": { stay: "the reverse stream's lag is a gauge, not a phase" },
    "switch-armed": alreadySwitched,
    "switch-committed": { stay: "the switch is a fact already" },
    "switch-aborted": { refuse: "the switch is a fact; only `rollback` undoes it" },
    "rollback-armed": { to: "rolling-back" },
    "rollback-committed": noRollback,
    "rollback-aborted": { stay: "the attempt has been aborted already" },
    completed: { to: "completed" },
    cancelled: { refuse: "the tables are at home on the target; `rollback` first, or `complete`" },
  },
  "rolling-back": {
    "copy-started": midRollback,
    "copy-finished": midRollback,
    "caught-up": midRollback,
    "switch-armed": midRollback,
    "switch-committed": noSwitch,
    "switch-aborted": noSwitch,
    "rollback-armed": midRollback,
    "rollback-committed": { to: "running" },
    "rollback-aborted": { to: "switched" },
    completed: midRollback,
    cancelled: midRollback,
  },
  completed: everything(ended, { completed: { stay: "the migration is complete already" } }),
  cancelled: everything(gone, { cancelled: { stay: "the migration is cancelled already" } }),
};

/**
 * The phase after `event`.
 *
 * @throws {SwitchyardError} `CUTOVER_PHASE_REFUSED` with the reason of the table.
 */
export function nextPhase(migration: string, phase: Phase, event: EventType): Phase {
  const transition = TRANSITIONS[phase][event];
  if ("to" in transition) return transition.to;
  if ("stay" in transition) return phase;
  throw new SwitchyardError("CUTOVER_PHASE_REFUSED", {
    what: `migration "${migration}" is in phase ${phase}: ${transition.refuse}`,
    changed: "Nothing was changed.",
  });
}
