/** Where a table's statements go, and which migration put it there. */
export interface TableRule {
  /** A name of `backends:` in the configuration. */
  readonly to: string;
  readonly migration: string;
}

/** Statements that touch these tables wait, in every proxy, until the hold is gone or `ttlMs` have passed there. */
export interface HoldRule {
  /** Fresh for each attempt; acknowledgements name it. */
  readonly token: string;
  /** Keys `schema.table`. */
  readonly tables: readonly string[];
  /** Counted on each proxy's own monotonic clock from when it first saw the hold. */
  readonly ttlMs: number;
  /** The backend that the tables' open transactions drain from. */
  readonly oldHome: string;
  readonly newHome: string;
  /** Past it, on each proxy's own clock, it ends what its sessions still have open on the old home. Absent: it never does. */
  readonly endOpenAfterMs?: number;
}

/** A migration whose switch is near: each proxy serves its tables only while its own lease is good. */
export interface ArmedRule {
  /** Fresh for each attempt; acknowledgements name it. */
  readonly token: string;
  readonly tables: readonly string[];
  /** Sessions that use the tables log in here ahead of the switch. */
  readonly newHome: string;
  /** Past it, on each proxy's own clock, it ends sessions that something keeps from the new home. Absent: it never does. */
  readonly endPinnedAfterMs?: number;
}

/** Stands before the key of a table in {@link NamesBehind.leaves}, for what its triggers leave; no schema begins so. */
export const TRIGGERS_OF = "trigger ";

/** In {@link NamesBehind}, in place of a table's key: it may be any table. No table has such a key. */
export const ANY_TABLE = "*";

export const NAMES_PARTS = ["views", "triggers", "routines"] as const;

export type NamesPart = (typeof NAMES_PARTS)[number];

/**
 * What stands behind names on one server that are no tables, as far as it was asked: the tables that a statement touches by
 * them, down through views, triggers and routines that use each other. A view or trigger that is missing was not found, or has
 * nothing to do with tables that have rules; a routine that is missing was not found.
 */
export interface NamesBehind {
  /** By `schema.view`: keys `schema.table`. */
  readonly views: Readonly<Record<string, readonly string[]>>;
  /** By `schema.table`: what a write to it touches by its triggers. */
  readonly triggers: Readonly<Record<string, readonly string[]>>;
  /** By `schema.routine`, of procedures and functions: of one that touches only tables without a rule, one of them at most. */
  readonly routines: Readonly<Record<string, readonly string[]>>;
  /**
   * By the same, and by tables whose triggers leave something: what it may leave in the session that calls it, `@name` for a user variable, else words for what no other
   * server can be given. Left out by older controllers.
   */
  readonly leaves?: Readonly<Record<string, readonly string[]>>;
  /**
   * The other routines, in few bytes: those that touch no table with a rule and leave nothing in a session, by one table that
   * each touches, under `""` where it is none; and under {@link ANY_TABLE} those of which it cannot be told.
   */
  readonly others?: Readonly<Record<string, readonly string[]>>;
  /** Parts that the account may not look into. What they do not list may touch any table. */
  readonly unseen?: readonly NamesPart[];
  /** Parts that are not listed whole since there is too much of it. What they do not list may touch any table. */
  readonly tooLarge?: readonly NamesPart[];
}

/**
 * All routing, in one document, so that one compare-and-swap is atomic for all tables and all proxies.
 * Stored under {@link RULES_KEY}.
 */
export interface RulesDocument {
  readonly format: 2;
  /** Grows by one with each change of the document. */
  readonly generation: number;
  /** The backend of every table that has no entry. */
  readonly default: string;
  /** By `schema.table`. Entries stay after a migration is complete. */
  readonly tables: Readonly<Record<string, TableRule>>;
  /** By migration id. */
  readonly armed: Readonly<Record<string, ArmedRule>>;
  /** By migration id. */
  readonly holds: Readonly<Record<string, HoldRule>>;
  /** Fresh with each switch and rollback: two switches to the same place are still told apart. */
  readonly switchId: string;
  /**
   * By backend whose place another one has taken: that other one. So a configuration that still names the former as default
   * is known to mean it. Left out where none was.
   */
  readonly repointed?: Readonly<Record<string, { readonly to: string }>>;
  /** By backend. Left out where no server was asked yet. */
  readonly behind?: Readonly<Record<string, NamesBehind>>;
}
