import { SHOWN_BYTES_MAX, shownStatement } from "../sql/shown-statement.ts";
import type { SqlModes } from "../sql/statement.ts";

/** The statement by which something of a session came about, and when. */
export interface Cause {
  /** The beginning of its text; see {@link shownCause} for people. */
  readonly text: Buffer;
  readonly modes: SqlModes;
  readonly sinceMs: number;
}

/** Something that ties a session to a backend. */
export interface Tie {
  /** For people: continues "this session cannot leave it: …". */
  readonly reason: string;
  readonly cause?: Cause | undefined;
}

/** A cause as it is shown: without any value that the client has sent. */
export interface ShownCause {
  readonly statement: string;
  readonly forMs: number;
}

/** Remembers a statement. The text may be a part of a buffer that is used again: what is kept is a copy, and short. */
export function causeOf(text: Buffer, modes: SqlModes, nowMs: number): Cause {
  // One byte more than is read tells that the text goes on.
  return { text: Buffer.from(text.subarray(0, SHOWN_BYTES_MAX + 1)), modes, sinceMs: nowMs };
}

export function shownCause(cause: Cause, nowMs: number): ShownCause {
  return { statement: shownStatement(cause.text, cause.modes), forMs: Math.max(0, Math.round(nowMs - cause.sinceMs)) };
}
