import type { Clock } from "../base/clock.ts";
import type { Session } from "./session.ts";

/** One session, for people to look at. */
export interface ReportedSession {
  /** The thread id that the client sees, by which it can be killed. */
  readonly id: string;
  readonly user: string;
  /** The client's address. */
  readonly host: string;
  /** Backends that it is logged in to, with the thread id there. */
  readonly backends: Readonly<Record<string, number>>;
  readonly state: "idle" | "executing" | "held";
  readonly transaction: "none" | "begun" | "open";
  /** The backend of the open transaction, or of the statement that is executed. */
  readonly at?: string;
  /** Why it cannot be moved, if it cannot. */
  readonly pinned?: string;
  readonly heldForMs?: number;
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

/** Describes the sessions of a worker; those that are held come first, then those with something open. */
export function reportSessions(proxy: string, sessions: Iterable<Session>, clock: Clock, max: number): SessionReport {
  const all = [...sessions].map((session) => describe(session, clock));
  const rank = (session: ReportedSession): number =>
    session.state === "held" ? 0 : session.transaction === "open" ? 1 : session.state === "executing" ? 2 : 3;
  all.sort((left, right) => rank(left) - rank(right));
  const states = { idle: 0, executing: 0, held: 0 };
  for (const { state } of all) states[state] += 1;
  return { format: 1, proxy, at: clock.now().toISOString(), total: all.length, states, sessions: all.slice(0, max) };
}

function describe(session: Session, clock: Clock): ReportedSession {
  const { heldSinceMs, flight, state } = session;
  const { transaction } = state;
  const at = transaction.backend ?? flight?.backend;
  const pinned = state.pins.first?.reason;
  return {
    id: session.id,
    user: session.user,
    host: session.client.remote,
    backends: Object.fromEntries(session.backends.all.map(({ name, connection }) => [name, connection.threadId])),
    state: heldSinceMs !== undefined ? "held" : session.busy ? "executing" : "idle",
    transaction: transaction.isNone ? "none" : transaction.isLazy ? "begun" : "open",
    ...(at === undefined ? {} : { at }),
    ...(pinned === undefined ? {} : { pinned }),
    ...(heldSinceMs === undefined ? {} : { heldForMs: Math.round(clock.monotonicMs() - heldSinceMs) }),
  };
}
