import type { StatementKind } from "../sql/statement.ts";
import type { ErrPacket } from "../wire/err-packet.ts";
import type { ReplyEnd } from "./reply-jobs.ts";
import type { SessionBackend } from "./session-backends.ts";
import type { Route } from "./statement-route.ts";

/** One command of a client's that needs a backend, from its arrival until its reply has ended. */
export interface Work {
  readonly kind: StatementKind | "command";
  /** Of a statement: what the client has sent, or prepared. Stays as it is for as long as the work lasts. */
  readonly text?: Buffer;
  /** What it weighs while it is held. */
  readonly bytes: number;
  /** How long it may take by the client's own wish, time in which it is held included; 0 for any. */
  readonly timeLimitMs: number;
  /** It may leave a transaction open. */
  readonly opens: boolean;
  /** It may ask for LAST_INSERT_ID(). */
  readonly readsInsertId: boolean;
  /** It may ask how the statement before it went: warnings, the count of rows. */
  readonly readsOutcome?: boolean;
  /** The schema that the connection must have; undefined for any. */
  schema(backend: SessionBackend): string | undefined;
  /** Decides by the rules in force now. */
  route(): Route;
  /** A further thing that the backend must be told first; undefined when there is none. Sends in the very call. */
  prepare(backend: SessionBackend): Promise<ErrPacket | undefined> | undefined;
  /** Sends it in the very call, and relays the reply. `lazyFlags` must show in the status of the reply. */
  send(backend: SessionBackend, lazyFlags: number): Promise<ReplyEnd>;
  /** What the reply has changed. Called while the statement still counts as in flight. */
  after?(backend: SessionBackend, end: ReplyEnd): Promise<void>;
}
