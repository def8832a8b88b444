import type { Deadline } from "../base/deadline.ts";
import { SwitchyardError } from "../base/errors.ts";
import type { SwitchState } from "./journal.ts";
import type { Direction, MigrationDocument } from "./migration-document.ts";
import type { HomeSession, Stray, StrayWatch, SwitchEnds, SwitchPorts } from "./ports.ts";
import type { ProxyView } from "./proxy-view.ts";
import type { FenceKind, SwitchOptions } from "./switch-options.ts";

/**
 * One attempt to switch or roll back, as the controller that runs it knows it. Nothing in here outlives the process:
 * whoever takes over reads the store and the servers.
 */
export interface Attempt {
  readonly ports: SwitchPorts;
  readonly options: SwitchOptions;
  readonly ends: SwitchEnds;
  readonly token: string;
  readonly switchId: string;
  /** The documents as last read or written by this attempt. */
  state: SwitchState;
  oldSession: HomeSession | undefined;
  newSession: HomeSession | undefined;
  /** Whether the lasting fence can be put up on the old home: its tables are locked for writing, or it stands there already. */
  oldReady: boolean;
  /** Sessions that are not used any more, but may still hold their locks: their end was not seen. */
  readonly leftSessions: HomeSession[];
  proxies: ProxyView | undefined;
  /** Follows the new home from before its fences were dropped until the swap. */
  newWatch: StrayWatch | undefined;
  /** Follows the old home from before the hold until strays behind the cut have been looked for after the swap. */
  oldWatch: StrayWatch | undefined;
  heldAtMs: number | undefined;
  holdDeadline: Deadline | undefined;
  /** GTID set of the old home, read under its fence. */
  cutPosition: string | undefined;
  /** GTID set of the new home, read once the ledger of the stream that fed it was sealed. */
  sealedPosition: string | undefined;
  /** Whether the new home's counters were seen to be level once those of the old home could not rise any more. */
  countersLevel: Promise<boolean> | undefined;
  swappedAtMs: number | undefined;
  strays: readonly Stray[];
  readonly notes: string[];
  /** Steps that are done, in order; one that was gone over again is there as often. */
  readonly times: StepTime[];
}

/** How long a step of an attempt took, as its controller saw it. */
export interface StepTime {
  readonly step: string;
  readonly tookMs: number;
}

/** Which servers play which part in an attempt of `kind`. */
export function endsOf(document: MigrationDocument, kind: "switch" | "rollback"): SwitchEnds {
  const forward = kind === "switch";
  const [feeding, returning]: [Direction, Direction] = forward ? ["forward", "reverse"] : ["reverse", "forward"];
  return {
    migration: document.id,
    kind,
    tables: document.tables,
    oldHome: forward ? document.source : document.target,
    newHome: forward ? document.target : document.source,
    oldUuid: forward ? document.sourceUuid : document.targetUuid,
    newUuid: forward ? document.targetUuid : document.sourceUuid,
    feeding,
    returning,
  };
}

export function newAttempt(ports: SwitchPorts, options: SwitchOptions, state: SwitchState, token: string): Attempt {
  return {
    ports,
    options,
    ends: endsOf(state.migration.document, options.kind),
    token,
    switchId: ports.newToken(),
    state,
    oldSession: undefined,
    newSession: undefined,
    oldReady: false,
    leftSessions: [],
    proxies: undefined,
    newWatch: undefined,
    oldWatch: undefined,
    heldAtMs: undefined,
    holdDeadline: undefined,
    cutPosition: undefined,
    sealedPosition: undefined,
    countersLevel: undefined,
    swappedAtMs: undefined,
    strays: [],
    notes: [],
    times: [],
  };
}

/** How the old home is fenced before the lasting fence. */
export function fenceOf({ fence = "lock" }: Pick<SwitchOptions, "fence">): FenceKind {
  return fence;
}

/** Whether the attempt that the journal names has swapped the rules. */
export function hasSwapped(document: MigrationDocument, token: string): boolean {
  return document.fenceToken === token;
}

/** Whether the attempt under `token` is the journal's present one and may still go on towards its swap. */
export function isUnderWay(document: MigrationDocument, token: string): boolean {
  return document.attempt?.token === token && document.attempt.state === undefined && !hasSwapped(document, token);
}

/** @throws {SwitchyardError} `CUTOVER_HOLD_EXPIRED` once the time for holding clients is used up. */
export function checkBudget(attempt: Attempt): void {
  if (attempt.holdDeadline?.passed !== true) return;
  throw new SwitchyardError("CUTOVER_HOLD_EXPIRED", {
    what: `the switch did not get done within ${attempt.options.limits.holdBudgetMs} ms of holding its clients`,
    fix: "Try again when the servers are less busy, or allow more with holdBudgetMs.",
  });
}

/** @throws {SwitchyardError} `CUTOVER_SESSION_LOST` as soon as one of the attempt's sessions is known to be lost. */
export function checkSessions(attempt: Attempt): void {
  for (const [session, backend] of [
    [attempt.oldSession, attempt.ends.oldHome],
    [attempt.newSession, attempt.ends.newHome],
  ] as const) {
    if (session?.lost.aborted !== true) continue;
    throw new SwitchyardError("CUTOVER_SESSION_LOST", { what: `the migration's session on "${backend}" was lost` });
  }
}

/** The proxies, as the attempt watches them. */
export function proxyView(attempt: Attempt): ProxyView {
  if (attempt.proxies !== undefined) return attempt.proxies;
  throw new SwitchyardError("INTERNAL_INVARIANT", { what: "a step waits for proxies before they were watched" });
}

/** The session on the old home. */
export function oldSession(attempt: Attempt): HomeSession {
  return there(attempt.oldSession, attempt.ends.oldHome);
}

/** The session on that home is not used any more; whether it still holds its locks is not known. */
export function dropSession(attempt: Attempt, which: "oldSession" | "newSession"): void {
  if (attempt[which] !== undefined) attempt.leftSessions.push(attempt[which]);
  attempt[which] = undefined;
}

/** The session on the new home. */
export function newSession(attempt: Attempt): HomeSession {
  return there(attempt.newSession, attempt.ends.newHome);
}

function there(session: HomeSession | undefined, backend: string): HomeSession {
  if (session !== undefined) return session;
  throw new SwitchyardError("INTERNAL_INVARIANT", {
    what: `a step needs the session on "${backend}" before it was opened`,
  });
}
