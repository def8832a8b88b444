/** What a statement is, as far as routing and session tracking need to know. */
export type StatementKind =
  | "select"
  | "insert"
  | "update"
  | "delete"
  | "replace"
  | "begin"
  | "commit"
  | "rollback"
  | "savepoint"
  | "set"
  | "use"
  | "ddl"
  | "show"
  | "lock-tables"
  | "unlock-tables"
  | "kill"
  | "call"
  | "load-data"
  | "prepare"
  | "execute"
  | "deallocate"
  | "xa"
  | "explain"
  | "handler"
  | "do"
  | "account"
  | "flush"
  | "other";

/** A table as the statement names it, quotes removed, case kept. Without `schema` the session's schema is meant. */
export interface TableRef {
  readonly schema?: string;
  readonly table: string;
  /** Whether the statement may change its rows or its definition. */
  readonly write: boolean;
  /** Byte of the text at which its name begins, the schema's if it has one; absent where it is not in the text. */
  readonly at?: number;
}

/** A stored procedure or function as the statement names it, quotes removed. */
export interface RoutineRef {
  readonly schema?: string;
  readonly name: string;
}

/** What a statement reads or changes that belongs to the session and that a server does not announce. */
export type SideEffect =
  | "assigns-user-variables"
  | "calculates-found-rows"
  | "reads-found-rows"
  | "reads-row-count"
  | "reads-last-insert-id"
  | "sets-last-insert-id"
  | "reads-connection-id"
  | "reads-diagnostics";

/** How a transaction is opened. Only `plain`, `read-only` and `read-write` read nothing from the server. */
export type BeginForm = "plain" | "consistent-snapshot" | "read-only" | "read-write";

/**
 * One assignment of a `SET`. `next-transaction` holds for one transaction only; `names` and `character-set` are
 * `SET NAMES` and `SET CHARACTER SET`; `role` is `SET ROLE`.
 */
export interface SetAssignment {
  readonly scope:
    | "session"
    | "global"
    | "persist"
    | "persist-only"
    | "user"
    | "next-transaction"
    | "names"
    | "character-set"
    | "role"
    | "resource-group";
  /** Lower case, save for a user variable, whose name is as written; empty where the form has no name. */
  readonly name: string;
  /** The value exactly as written, so that it can be sent again. */
  readonly valueText: string;
  /** Whether the value is a constant that means the same at any time and on any server. */
  readonly literal: boolean;
}

/** The connection or statement that a `KILL` names; without `id` it is computed by the server. */
export interface KillTarget {
  readonly what: "query" | "connection";
  readonly id?: number;
}

/** A statement about a distributed transaction; `xid` is absent where it names none, and its form is our own. */
export interface XaStatement {
  readonly action: "start" | "end" | "prepare" | "commit" | "rollback" | "recover";
  readonly xid?: string;
  readonly onePhase?: boolean;
}

/**
 * PREPARE, EXECUTE and DEALLOCATE as text. A text to prepare is written in the statement or is the value of a user
 * variable.
 */
export type DynamicStatement =
  | { readonly action: "prepare"; readonly name: string; readonly text: Buffer }
  | { readonly action: "prepare"; readonly name: string; readonly variable: string; readonly text?: undefined }
  | { readonly action: "execute" | "deallocate"; readonly name: string };

/**
 * What is known of one statement from its text alone.
 *
 * {@link tables} holds every table that the server may touch because the text names it, and perhaps more, never
 * less; where that cannot be said, {@link touchesEverything} is set. Triggers, views and foreign keys are outside
 * of the text and not in it.
 */
export interface StatementFacts {
  readonly kind: StatementKind;
  /** Where the statement lies in the text, comments before it included: up to its `;` or the end of the text. */
  readonly start: number;
  readonly end: number;
  readonly tables: readonly TableRef[];
  /** The backend that a comment ahead of the whole text asks for; only of the first statement. */
  readonly routeHint?: string | undefined;
  /** The statement may touch any table: it is unknown, malformed, dynamic, or calls what may be a stored routine. */
  readonly touchesEverything: boolean;
  /** Why {@link touchesEverything} is set, for the message of a refusal. */
  readonly everythingBecause?: string | undefined;
  /** Stored routines that it may call; set where nothing else makes it touch everything. */
  readonly calls?: readonly RoutineRef[] | undefined;
  /** Changes no row and no definition, and locks no row. */
  readonly readOnly: boolean;
  /** Ends an open transaction by itself. `SET autocommit=1` does so only if it was 0. */
  readonly causesImplicitCommit: boolean;
  /** Calls GET_LOCK or one of its relatives. */
  readonly locksUserLevel: boolean;
  /** Sees or locks all tables of the one server that executes it: a consistent snapshot, FLUSH TABLES without a list. */
  readonly wholeServer?: boolean | undefined;
  readonly effects: readonly SideEffect[];
  /**
   * User variables that a CALL or a statement with the effect `assigns-user-variables` names, those that it only reads among
   * them; as written, each once.
   */
  readonly userVariables?: readonly string[] | undefined;
  readonly beginForm?: BeginForm | undefined;
  /** Of COMMIT and ROLLBACK. */
  readonly chain?: boolean | undefined;
  /** Of COMMIT and ROLLBACK: the server closes the connection afterwards. */
  readonly release?: boolean | undefined;
  readonly savepoint?: { readonly action: "set" | "rollback-to" | "release"; readonly name: string } | undefined;
  readonly setAssignments?: readonly SetAssignment[] | undefined;
  readonly useSchema?: string | undefined;
  /** Not in {@link tables}: it lives in the session. */
  readonly createsTemporaryTable?: TableRef | undefined;
  /** Tables of a DROP TABLE; those of `DROP TEMPORARY TABLE` are not in {@link tables}. */
  readonly dropsTables?: readonly TableRef[] | undefined;
  /** Of a HANDLER: what it does, and the name by which it is known, which READ and CLOSE have in place of the table's. */
  readonly handler?: { readonly action: "open" | "read" | "close"; readonly name: string } | undefined;
  /** LOCK INSTANCE FOR BACKUP and UNLOCK INSTANCE. */
  readonly backupLock?: "taken" | "released" | undefined;
  readonly xa?: XaStatement | undefined;
  readonly dynamic?: DynamicStatement | undefined;
  readonly kill?: KillTarget | undefined;
  /** Lists what one server has: SHOW PROCESSLIST, whose ids are those by which sessions are killed, TABLES, DATABASES. */
  readonly listsServer?: boolean | undefined;
}

/** How a session's settings change the reading of a text. */
export interface SqlModes {
  /** `sql_mode` has ANSI_QUOTES. */
  readonly ansiQuotes: boolean;
  /** `sql_mode` has NO_BACKSLASH_ESCAPES. */
  readonly noBackslashEscapes: boolean;
  /** `sql_mode` has IGNORE_SPACE. */
  readonly ignoreSpace?: boolean;
  /**
   * What `character_set_client` is: `utf8` (utf8mb3, utf8mb4, ascii; the default), `other` (no second byte of a
   * character is ASCII: latin1, ujis, …), or `unsafe` (sjis, cp932, gbk, gb18030, big5: a second byte may be a
   * quote of names or a backslash).
   */
  readonly charset?: "utf8" | "other" | "unsafe";
  /** Oldest and newest server that may get the text, as 80046 for 8.0.46; decides on versioned comments. */
  readonly serverVersions?: { readonly oldest: number; readonly newest: number };
}
