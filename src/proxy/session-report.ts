import type { Clock } from "../base/clock.ts";
import { shownCause, type Tie } from "./cause.ts";
import type { Session } from "./session.ts";
import { CURSOR_OPEN, TRANSACTION_OPEN } from "./session-state.ts";

/** Something that keeps a session where it is, or its statement from going on. */
export interface ReportedTie {
  readonly kind: "held" | "transaction" | "pinned";
  /** The backend that it is at; a statement that is held is at none. */
  readonly at?: string;
  readonly reason: string;
  /** The statement by which it came about, its values left out. */
  readonly statement?: string;
  readonly forMs?: number;
}

/** One session, for people to look at. */
export interface ReportedSession {
  /** The thread id that the client sees, by which it can be killed. */
  readonly id: string;
  readonly user: string;
  /** The client's address. */
  readonly host: string;
  /** What the client says it is. */
  readonly program?: string;
  /** Backends that it is logged in to, with the thread id there. */
  readonly backends: Readonly<Record<string, number>>;
  readonly state: "idle" | "executing" | "held";
  readonly transaction: "none" | "begun" | "open";
  /** The backend of the open transaction, or of the statement that is executed. */
  readonly at?: string;
  /** Why it cannot be moved, if it cannot. */
  readonly pinned?: string;
  readonly heldForMs?: number;
  /** What holds, pins or keeps it open, with statement and age; at most 20. */
  readonly ties: readonly ReportedTie[];
}

/** The sessions of one worker, as stored under a lease for `switchyard sessions`. */
export interface SessionReport {
  readonly format: 1;
  readonly proxy: string;
  readonly at: string;
  /** All sessions; {@link sessions} may hold fewer. */
  readonly total: number;
  readonly states: Readonly<Record<ReportedSession["state"], number>>;
  readonly sessions: readonly ReportedSession[];
}

const TIES_MAX = 20;

/**
 * Describes the sessions of a worker; those that are held come first, then those with something open, then those that
 * cannot be moved.
 */
export function reportSessions(proxy: string, sessions: Iterable<Session>, clock: Clock, max: number): SessionReport {
  const all = [...sessions].map((session) => ({ session, state: stateOf(session) }));
  const states = { idle: 0, executing: 0, held: 0 };
  for (const { state } of all) states[state] += 1;
  all.sort((left, right) => rank(left.session) - rank(right.session));
  const now = clock.monotonicMs();
  return {
    format: 1,
    proxy,
    at: clock.now().toISOString(),
    total: all.length,
    states,
    sessions: all.slice(0, max).map(({ session, state }) => describe(session, state, now)),
  };
}

function stateOf(session: Session): ReportedSession["state"] {
  return session.heldSinceMs !== undefined ? "held" : session.busy ? "executing" : "idle";
}

function rank(session: Session): number {
  const { state } = session;
  if (session.heldSinceMs !== undefined) return 0;
  if (state.transaction.backend !== undefined) return 1;
  if (state.pins.size > 0 || state.names.temporaryTables > 0) return 2;
  return session.busy ? 3 : 4;
}

function describe(session: Session, state: ReportedSession["state"], now: number): ReportedSession {
  const { heldSinceMs, flight } = session;
  const { transaction } = session.state;
  const at = transaction.backend ?? flight?.backend;
  const ties = tiesOf(session, now);
  const pinned = ties.find(({ kind }) => kind === "pinned")?.reason;
  const { program } = session.origin;
  return {
    id: session.id,
    user: session.user,
    host: session.client.remote,
    ...(program === undefined ? {} : { program }),
    backends: Object.fromEntries(session.backends.all.map(({ name, connection }) => [name, connection.threadId])),
    state,
    transaction: transaction.isNone ? "none" : transaction.isLazy ? "begun" : "open",
    ...(at === undefined ? {} : { at }),
    ...(pinned === undefined ? {} : { pinned }),
    ...(heldSinceMs === undefined ? {} : { heldForMs: Math.round(now - heldSinceMs) }),
    ties,
  };
}

function tiesOf(session: Session, now: number): readonly ReportedTie[] {
  const { state, heldTie } = session;
  const ties: ReportedTie[] = [];
  const add = (kind: ReportedTie["kind"], { reason, cause }: Tie, at?: string): void => {
    const shown = cause === undefined ? {} : shownCause(cause, now);
    ties.push({ kind, ...(at === undefined ? {} : { at }), reason, ...shown });
  };
  if (heldTie !== undefined) add("held", heldTie);
  const { backend, cause } = state.transaction;
  if (backend !== undefined) add("transaction", { reason: TRANSACTION_OPEN, cause }, backend);
  for (const pin of state.pins.all) add("pinned", pin, pin.backend);
  for (const tie of state.names.ties) add("pinned", tie, tie.backend);
  for (const { cursor, cursorCause } of state.prepared.values()) {
    if (cursor !== undefined) add("pinned", { reason: CURSOR_OPEN, cause: cursorCause }, cursor.name);
  }
  return ties.slice(0, TIES_MAX);
}
