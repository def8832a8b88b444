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
  /** A stored document was written by a newer version. It is left as it is; run a version at least as new. */
  STORE_FORMAT_NEWER: { retryable: false, exit: 1 },

  // rules

  // proxy

  // replication

  // diff

  // cutover

  // preflight

  // controller, admin, cli
  /** Another controller has become leader and answers this order. Ask `migration status`; nothing is lost. */
  ORDER_TAKEN: { retryable: true, exit: 5 },
  /** No migration has this name. `migration list` shows those that exist. */
  MIGRATION_NOT_FOUND: { retryable: false, exit: 3 },
  /** A migration of this name exists. Choose another name. */
  MIGRATION_EXISTS: { retryable: false, exit: 3 },
  /** Another unfinished migration moves one of the tables. Complete or cancel it first. */
  MIGRATION_TABLE_CLAIMED: { retryable: false, exit: 3 },
  /** What was asked for does not fit the migration's phase. Nothing was changed. */
  MIGRATION_PHASE_REFUSED: { retryable: false, exit: 3 },
  /** The request names backends, tables or options that do not exist or contradict each other. Nothing was changed. */
  MIGRATION_REQUEST_INVALID: { retryable: false, exit: 2 },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERROR_CODES;
