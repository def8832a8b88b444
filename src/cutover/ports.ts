import type { Clock } from "../base/clock.ts";
import type { FailpointHook } from "../base/failpoints.ts";
import type { Logger } from "../base/logger.ts";
import type { TableName } from "../base/table-name.ts";
import type { NamesBehind } from "../rules/rules-document.ts";
import type { Compare, Store } from "../store/store.ts";
import type { Direction } from "./migration-document.ts";
import type { WaitingDdl } from "./waiting-ddl.ts";

/**
 * What the switch needs from the rest of the program. The controller binds these to the real engines; the
 * simulation binds the same steps to a world of its own.
 *
 * Every time that the switch waits, it waits on {@link SwitchPorts.clock}.
 */
export interface SwitchPorts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly failpoint: FailpointHook;
  readonly store: Store;
  /**
   * Conditions that hold only while this controller runs the migration: the revision of its claim. They are part of every
   * store transaction of a switch, so that a controller that was stopped and replaced changes nothing any more.
   */
  readonly leadership: () => readonly Compare[];
  /** The servers of the two backends, by backend name. */
  readonly home: (backend: string) => Home;
  readonly stream: (direction: Direction) => StreamPort;
  /** What the two servers have behind names of views, triggers and routines now; left out where nobody can ask. */
  readonly namesBehind?: (ends: SwitchEnds) => Promise<Readonly<Record<string, NamesBehind>>>;
  /** Whether a diff of this migration has a snapshot open; it would block the ALTERs of the switch. */
  readonly diffIsOpen: (migration: string) => boolean;
  /** Further checks of the gate, for example those of preflight. */
  readonly extraGateChecks?: (plan: SwitchEnds) => Promise<readonly GateFinding[]>;
  /** A fresh, unguessable name: tokens and switch ids. */
  readonly newToken: () => string;
  /** Told each step as it begins and ends, for terminals and logs. */
  readonly progress: (line: string) => void;
  /** Aborts when this controller must stop (shutdown, its claim lost). */
  readonly signal: AbortSignal;
}

/** The two ends as one attempt sees them; on a rollback they are exchanged. */
export interface SwitchEnds {
  readonly migration: string;
  readonly kind: "switch" | "rollback";
  readonly tables: readonly string[];
  /** Backend that takes the tables' writes before the attempt. */
  readonly oldHome: string;
  /** Backend that takes them afterwards. */
  readonly newHome: string;
  /** `server_uuid` of both as the journal knows them: the servers that the streams use. Empty where it knows none. */
  readonly oldUuid: string;
  readonly newUuid: string;
  /** Direction of the stream that feeds the new home. */
  readonly feeding: Direction;
  /** Direction of the stream that will feed the old home afterwards. */
  readonly returning: Direction;
}

/** One thing that the gate looked at. */
export interface GateFinding {
  readonly id: string;
  readonly ok: boolean;
  readonly title: string;
  readonly observed: string;
  readonly expected: string;
  readonly fix: string;
  /** Whether `--force` lets it pass; the reason is then recorded. */
  readonly forceable?: boolean;
}

/** A stream as the gate and the steps see it. Each method may be called from any state. */
export interface StreamPort {
  health(): Promise<StreamHealth>;
  /**
   * Applies every transaction up to `position` (a GTID set of the server it reads) and stays there.
   * After it has resolved, nothing newer is applied until {@link resume}.
   *
   * A stream that is not open is not begun for it: whoever was replaced, and wakes here, must not take the ledger back.
   */
  stopAt(position: string, options: { readonly timeoutMs: number }): Promise<void>;
  /**
   * Seals the ledger of the server that the stream writes to, for the attempt with this token. Once it has resolved, no
   * applier of this direction can commit there, and none can claim the ledger, whatever process it lives in, until
   * {@link resume} for the same attempt or {@link retire}.
   *
   * @returns what that server had executed (a GTID set) once the seal was there: one round trip for both, since clients wait
   * @throws {SwitchyardError} `REPLICATION_LEDGER_TAKEN` where this stream is not the one that holds the ledger
   */
  seal(attempt: string): Promise<string>;
  /**
   * After an abort of the attempt with this token: the stream goes on from where its ledger stands, whether or not it was
   * stopped or its ledger was sealed. Once it has resolved no seal of that attempt stands or can still come, and the stream
   * is under way; it need not have caught up.
   *
   * @param startToken what the stream had begun under; absent for the first forward stream
   * @throws {SwitchyardError} `REPLICATION_LEDGER_SEALED`, `REPLICATION_LEDGER_TAKEN`: the attempt is over, and the ledger is of
   *   those that came after it
   */
  resume(attempt: string, startToken: string | undefined): Promise<void>;
  /** Writes the start position into the sidecar of the server that the stream writes to, under `token`. */
  writeStart(token: string, position: string): Promise<void>;
  /**
   * Starts the stream from the position written under `token`, and under no other. Where it already runs from it,
   * nothing is done.
   */
  start(token: string): Promise<void>;
  /**
   * The tables have left the home that this stream followed: whoever began it under `token` (absent for the first
   * forward stream), in whatever process, can neither go on nor claim its ledger again. A stream that has begun under
   * another token since is left alone. Repeating it does nothing.
   */
  retire(token: string | undefined): Promise<void>;
  /**
   * Ends the stream in this and in every other process, and closes its ledger. Repeating it does nothing.
   *
   * @throws {SwitchyardError} `STREAM_TARGET_CHANGED` where another server has the address; the ledger stands then
   */
  stop(): Promise<void>;
}

export interface StreamHealth {
  readonly state: "copying" | "catching-up" | "running" | "stopped-at" | "paused" | "failed" | "closed";
  readonly lagMs: number;
  /** Rows that were not what the stream expected, since the newest clean diff. */
  readonly drift: number;
  /** DDL on the tables, other than ours, since the newest clean diff. */
  readonly ddl: number;
  readonly error?: string;
  /** What keeps it from going on, while it tries again. */
  readonly retrying?: string;
  /** What the server that it writes to keeps it waiting for, where nothing has been written for a while. */
  readonly waiting?: string;
  /** While `paused`: by whom and why. */
  readonly paused?: { readonly by: string; readonly reason: string };
}

/** One MySQL server, as far as one migration's switch is concerned. */
export interface Home {
  /** Name in `backends:`. */
  readonly backend: string;
  /** For messages: `host:port`. */
  readonly label: string;
  /** The account that our own streams write with. The lasting fence lets it pass. */
  readonly ownUser: string;
  /** Opens a connection that only looks, and closes it after `look`. */
  inspect<T>(look: (view: HomeView) => Promise<T>): Promise<T>;
  /**
   * Opens the migration's session here: the one that holds the user-level lock `switchyard:<migration>`.
   *
   * @throws {SwitchyardError} `CUTOVER_SESSION_HELD` when another session holds it and `takeOver` is `never`;
   *   `CUTOVER_SERVER_CHANGED` where another server than {@link OpenSession.serverUuid} answers.
   */
  open(options: OpenSession): Promise<HomeSession>;
  /**
   * Follows the binary log from `position` and collects writes to the tables that are not ours.
   *
   * @throws {SwitchyardError} `CUTOVER_SERVER_CHANGED` where another server than `serverUuid` answers
   */
  watchStrays(position: string, serverUuid?: string): Promise<StrayWatch>;
  /**
   * The attempt under `token` has swapped, and has left guards on this server, which is the tables' home now: from here on they
   * let everybody pass, for as long as this process is there and `signal` has not aborted.
   */
  openGuards(token: string, signal: AbortSignal): Promise<void>;
}

export interface OpenSession {
  /**
   * `never`: only if nobody holds it. `kill-holder`: KILL the session that holds it. `keep-lock`: queue a table
   * lock on every table first and then KILL the holder, so that the tables stay locked throughout; the new session
   * then holds the lock. To be used only by the controller that has settled the rules.
   */
  readonly takeOver: "never" | "kill-holder" | "keep-lock";
  /**
   * With `keep-lock`: readers that have the tables are waited for until this aborts, however long they take. Meanwhile the
   * lock is queued for, and keeps writers out, and new readers. Left out, the opening fails after a while.
   */
  readonly patience?: AbortSignal;
  /**
   * The only server that will do: whoever begins an attempt must work on the servers that the streams use, wherever the
   * address leads since. Left out by whoever clears one away, on the server that has the place now.
   */
  readonly serverUuid?: string;
  /**
   * Called before tables are queued for, and again each time it is known who holds the lock and before that session is
   * KILLed; what it throws ends the opening. It has to read the journal: a session that was there before a read that
   * still shows the caller's attempt is not one of a controller that came after it. So a controller that was stopped ends no
   * session of its successors.
   */
  readonly stillOurs?: () => Promise<void>;
  /**
   * KILLs first what is left of the migration's diffs on the server. For whoever knows that none runs: a session whose
   * connection was cut, or whose controller has gone, may keep its locks there for hours.
   */
  readonly endDiffs?: boolean;
  /** Told of definition statements that were ended so that, with `keep-lock`, they do not come before the lock's new holder. */
  readonly ddlEnded?: (ended: readonly WaitingDdl[]) => void;
}

/** Facts of a server that can be read without holding anything. */
export interface HomeView {
  /** `server_uuid` of the server that answers. */
  serverUuid(): Promise<string>;
  executed(): Promise<string>;
  /** Sessions that hold metadata locks on the tables, or a lock of the whole server that keeps them out, oldest first. */
  holders(): Promise<readonly LockHolder[]>;
  /** Those of `read_only`, `super_read_only` and `offline_mode` that are on: clients could not write here. */
  closedBy(): Promise<readonly string[]>;
  /** What keeps every commit of the server waiting, such as a disk that is full; undefined where they go through. */
  standstill(): Promise<string | undefined>;
  /** `auto_increment_increment` and `auto_increment_offset`. */
  autoIncrementSettings(): Promise<{ readonly increment: string; readonly offset: string }>;
  /** Lasting fences on the tables, by table key. */
  fences(): Promise<readonly LastingFence[]>;
  /** Ids of connections that carry one of these boot nonces in `switchyard_proxy`. */
  connectionsOf(bootNonces: readonly string[]): Promise<readonly string[]>;
}

/**
 * The migration's one session on a server, and all that is done to that server. It never reconnects: once it is
 * lost, every method throws `CUTOVER_SESSION_LOST`, and the part of the controller that owned it has ended.
 */
export interface HomeSession extends HomeView {
  /** Aborts as soon as the session is known to be lost. */
  readonly lost: AbortSignal;
  /**
   * `LOCK TABLES` on all tables, pending for at most `pendingMs`; `false` when it was not granted in that time,
   * and then nothing is pending any more.
   */
  lock(mode: "write" | "read", pendingMs: number): Promise<boolean>;
  /** One round trip on the session that holds the lock: proves that it was held until now. */
  prove(): Promise<void>;
  unlock(): Promise<void>;
  /**
   * Puts the triggers that refuse writes by others on all tables, and takes guards away; the tables must be locked for
   * writing. Idempotent.
   */
  installFences(token: string): Promise<void>;
  /** Removes every lasting fence and guard of this migration from the tables. */
  dropFences(token: string): Promise<void>;
  /**
   * Replaces lasting fences by guards: triggers that refuse writes by others for as long as this very session stands and
   * has not called {@link liftGuard}. There is no moment at which neither refuses.
   *
   * Then they let the clients of all proxies pass, and for a time nobody else, unless {@link Home.openGuards} was called: whoever
   * comes past the proxies may take the server for the tables' home when it is not, or no more. Where the server does not show
   * whose a session is, they let everybody pass.
   */
  installGuards(token: string): Promise<void>;
  /** Lets the proxies' clients write past the guards: one round trip, however many tables. Idempotent. */
  liftGuard(): Promise<void>;
  /**
   * Takes the guards off a home that is in use, one by one: only when no transaction has held the table for
   * a while, and waiting for at most `pendingMs`. Answers whether all are gone; those that are left let the proxies' clients pass.
   */
  removeGuards(token: string, pendingMs: number): Promise<boolean>;
  /** Next AUTO_INCREMENT value by table key, as the engine has it now; tables without one are left out. */
  autoIncrements(): Promise<ReadonlyMap<string, bigint>>;
  /** Raises the counter of one table to at least `value`. */
  raiseAutoIncrement(table: string, value: bigint, token: string): Promise<void>;
  /** The largest value that the table's AUTO_INCREMENT column can take, by table key. */
  autoIncrementLimits(): Promise<ReadonlyMap<string, bigint>>;
  /**
   * KILLs connections; those that are gone already are no error. Answers with those that are gone or will be: one whose commit
   * the server is writing is left alone, see `killConnection`.
   */
  kill(connectionIds: readonly string[]): Promise<readonly string[]>;
  /** Definition statements of others that wait for the tables, which this session has locked. */
  waitingDdl(): Promise<readonly WaitingDdl[]>;
  /** KILL QUERY: ends the statements that these connections run, and nothing else of them. */
  interrupt(connectionIds: readonly string[]): Promise<void>;
  /** RENAMEs all pairs in one statement; pairs whose old name is gone are left out. */
  renameTables(pairs: readonly { readonly from: TableName; readonly to: TableName }[], token: string): Promise<void>;
  dropTables(tables: readonly TableName[], token: string): Promise<void>;
  dropEmptySchemas(schemas: readonly string[], token: string): Promise<readonly string[]>;
  close(): Promise<void>;
}

/**
 * By what a session keeps the tables, the gravest last: `LOCK TABLES`, `LOCK INSTANCE FOR BACKUP`, which keeps fences from
 * being put up, and `FLUSH TABLES WITH READ LOCK`, which keeps every write of the server waiting.
 */
export const HELD_BY = ["transaction", "table lock", "backup lock", "global read lock"] as const;

export type HeldBy = (typeof HELD_BY)[number];

/** A session that holds a metadata lock on one of the tables, or one of the whole server. */
export interface LockHolder {
  readonly connectionId: string;
  readonly user: string;
  readonly host: string;
  /** Table keys that it holds; all of them where the lock is of the whole server. */
  readonly tables: readonly string[];
  /** Whether it waits between statements: only an open transaction does that, and who has asked for a lock. */
  readonly idle: boolean;
  /** Whether its statement waits for a lock of a table itself, perhaps for ours. */
  readonly waits: boolean;
  /** Whether one of its locks stands in the way of readers only being allowed (a write or stronger). */
  readonly writes: boolean;
  /** Seconds since its connection's state changed. */
  readonly seconds: number;
  /** The same for one lock for as long as it is held, and different for the next. */
  readonly identity: string;
  readonly by: HeldBy;
  /** Whether it is logged in as we are. */
  readonly ours: boolean;
  /** What a session of ours says that it is for, as `diff`; empty where it is not ours. */
  readonly role: string;
  /** Its newest statement, without values: the server's digest, or the first word alone of one that runs; may be empty. */
  readonly statement: string;
  /** What its client says it is; empty where it does not. */
  readonly program: string;
  /** The client's address, where it comes through a proxy. */
  readonly client: string;
}

export interface LastingFence {
  readonly table: string;
  readonly token: string;
  /** Whether all three triggers stand. */
  readonly complete: boolean;
}

/** A write to the tables of the migration, in a home's binary log, that our streams did not make. */
export interface Stray {
  readonly gtid: string;
  readonly table: string;
  /** `insert`, `update`, `delete`, or the beginning of a DDL statement. */
  readonly what: string;
}

/** Follows a server's binary log. Transactions that change our ledger, and DDL that carries our comment, are ours. */
export interface StrayWatch {
  /**
   * Waits until the server has gone through what its newest log held before the start position, for at most two seconds:
   * it reads that log from the beginning, some 40 ms for 100 MB. Only what {@link upTo} takes depends on it.
   *
   * @throws {SwitchyardError} `CUTOVER_WATCH_FAILED` when the log cannot be read
   */
  underWay(): Promise<void>;
  /**
   * The strays from `after` (from the start position where it is left out) to `position` or somewhat beyond, in the order of
   * the log, once it was read so far. Of more than a thousand the last. Both are GTID sets of that server.
   *
   * @throws {SwitchyardError} `CUTOVER_WATCH_FAILED` when the log cannot be read, or not so far within `timeoutMs`
   */
  upTo(position: string, options: { readonly timeoutMs: number; readonly after?: string }): Promise<readonly Stray[]>;
  close(): Promise<void>;
}
