import type { Tie } from "./cause.ts";

/**
 * A statement from its decision until its reply has ended, on the backend that was decided on. While it exists no
 * hold on its tables counts as drained.
 */
export interface Flight {
  readonly backend: string;
  /** Keys of the tables that it names. */
  readonly tables: readonly string[];
  readonly everything: boolean;
  /** It may leave a transaction open. */
  readonly opens: boolean;
}

/** Why a session cannot follow to a backend. */
export interface Immovable extends Tie {
  readonly kind: "pinned" | "login";
}

/** Where a session comes from. */
export interface SessionOrigin {
  /** What the client says it is. */
  readonly program?: string | undefined;
  readonly address: string;
}

/** A session as the worker-wide parts see it: those that hold, drain, arm and report. */
export interface TrafficSession {
  readonly id: string;
  readonly user: string;
  /** The statement on its way, if any. */
  readonly flight: Flight | undefined;
  /** Its statement on the way waits for a file that the client is sending. */
  readonly sendsFile?: boolean;
  readonly origin?: SessionOrigin;
  /** What of the session's would be lost, or would go on, at this backend: an open transaction, locked tables, … */
  openOn(backend: string): Tie | undefined;
  /** Whether it has used one of these tables. */
  hasUsed(tables: ReadonlySet<string>): boolean;
  /** What keeps it from doing without all backends but this one, as far as is known without asking any. */
  immovable?(backend: string): Tie | undefined;
  /** Logs in to `backend` and brings it up to date. Answers why that is impossible, or undefined when it is done. */
  prepareFor(backend: string): Promise<Immovable | undefined>;
  /**
   * Ends what {@link openOn} names, and the statement that runs there, as the operator has asked: a transaction is rolled
   * back and its client told so at its next statement; where more than that is open, the session ends.
   */
  endOpen?(backend: string): void;
  /** Ends the session, as the operator has asked: its statement is killed, and its client told why. */
  endPinned?(tie: Tie): void;
}
