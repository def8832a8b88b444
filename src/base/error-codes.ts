/** What the program itself needs to know of a code; its doc comment is for the operator. */
export interface ErrorKind {
  /** Whether the same thing done again, unchanged, can succeed. */
  readonly retryable: boolean;
  /**
   * Exit code of a command that ends with it: 1 failed, 2 usage, 3 refused by a gate (nothing changed),
   * 4 aborted (back as before), 5 outcome unknown.
   */
  readonly exit: 1 | 2 | 3 | 4 | 5;
}

/**
 * Every error that Switchyard raises on purpose, by area, each with what it means and what to do about it.
 * The reference page is generated from this file, so each entry carries its explanation as a doc comment.
 */
export const ERROR_CODES = {
  // base
  /** A defect of Switchyard. Report it with the log around it; nothing an operator did can cause it. */
  INTERNAL_INVARIANT: { retryable: false, exit: 1 },
  /** The work was asked to stop (shutdown, cancellation, a client that went away) before it was done. */
  CANCELLED: { retryable: true, exit: 1 },
  /** A step did not end within its limit. The message names the step and the limit. */
  TIMEOUT: { retryable: true, exit: 1 },
  /** A bounded queue is full; the sender must wait or give up. */
  QUEUE_FULL: { retryable: true, exit: 1 },

  /** A table was not named as schema.table. */
  TABLE_NAME_INVALID: { retryable: false, exit: 2 },

  // gtid

  // wire

  // sql

  // config

  // binlog

  // table

  // mysql

  // store

  // rules

  // proxy

  // replication

  // diff

  // cutover

  // preflight

  // controller, admin, cli
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERROR_CODES;
