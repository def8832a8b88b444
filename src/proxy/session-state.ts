import { scopeKey } from "../rules/decision-cache.ts";
import type { Judgement } from "../rules/judgement.ts";
import type { Decision, Routing } from "../rules/routing.ts";
import type { SqlModes, StatementFacts } from "../sql/statement.ts";
import { STATUS } from "../wire/capabilities.ts";
import { type Cause, causeOf, type Tie } from "./cause.ts";
import { type KeptText, meansOtherwise } from "./prepared-reading.ts";
import type { PreparedStatement, TextPrepared } from "./prepared-statement.ts";
import type { UnknownCall } from "./routine-calls.ts";
import type { SessionBackend } from "./session-backends.ts";
import type { SessionContext } from "./session-context.ts";
import { SessionNames } from "./session-names.ts";
import { SessionPins } from "./session-pins.ts";
import { SessionSettings } from "./session-settings.ts";
import { SessionTransaction } from "./session-transaction.ts";

const DEFAULT_MODES = { ansiQuotes: false, noBackslashEscapes: false } as const;

export const TRANSACTION_OPEN = "a transaction is open";
export const CURSOR_OPEN = "a cursor is open";

/** A name that no backend has. */
const NO_BACKEND = "";

/** All that is known of a session beside its connections. */
export class SessionState {
  readonly transaction = new SessionTransaction();
  readonly names = new SessionNames();
  readonly pins = new SessionPins();
  readonly settings: SessionSettings;
  readonly prepared = new Map<number, PreparedStatement>();
  /** Names of open HANDLERs. */
  readonly handlers = new Set<string>();
  /** Statements that were prepared as text, by {@link preparedKey}. */
  readonly textPrepared = new Map<string, TextPrepared>();
  /** By the key of their pin. */
  readonly unknownCalls = new Map<string, UnknownCall>();
  readonly #context: SessionContext;
  readonly #used = new Set<string>();
  readonly #together = new Set<string>();
  /** SET TRANSACTION for the next transaction alone, to be sent ahead of it. */
  oneShot: string[] = [];
  /** Those that have gone ahead of a transaction that is about to begin. */
  oneShotSent: readonly string[] = [];
  /** The last COM_SET_OPTION. */
  option: number | undefined;
  /** Where the last statement went. */
  lastBackend: string;
  /** Where it may hold user-level locks: they tie it to no home, and are lost with that connection. */
  userLocksAt: string | undefined;
  /** Where the session's LAST_INSERT_ID() was set last. */
  insertBackend: string | undefined;
  longDataBytes = 0;
  #nextPreparedId = 1;
  #lastScope: { readonly modes: SqlModes; readonly schema: string | undefined; readonly key: string } | undefined;

  constructor(context: SessionContext, defaultBackend: string) {
    this.#context = context;
    this.lastBackend = defaultBackend;
    this.settings = new SessionSettings(context.limits.settingsMax, DEFAULT_MODES);
  }

  get routing(): Routing {
    return this.#context.traffic.routing;
  }

  /** So many statements are prepared that there may be no further one. */
  get preparedFull(): boolean {
    return this.prepared.size + this.textPrepared.size >= this.#context.limits.preparedStatementsMax;
  }

  newPreparedId(): number {
    const id = this.#nextPreparedId;
    this.#nextPreparedId = id >= 0xffff_ffff ? 1 : id + 1;
    return id;
  }

  /** Judges a text by the rules in force and by what its names mean under `schema`. */
  judge(text: Buffer, schema: string | undefined): Judgement {
    return this.#judgeBy(this.settings.modes, text, schema);
  }

  /**
   * As {@link judge}, of a text that was prepared: by what it was then. A server reads it anew by the present `sql_mode` when the
   * definition of one of its tables has changed, and does not say so: where it would use other tables then, these count, too.
   * One that might touch any table then waits for every hold and is sent nowhere else for it: most such are no statements.
   */
  judgeKept({ text, schema, reading }: KeptText): Judgement {
    const kept = this.#judgeBy(reading.parsedBy, text, schema);
    const { modes } = this.settings;
    if (modes === reading.parsedBy || !meansOtherwise(text, reading, this.settings.reading)) return kept;
    const anew = this.judge(text, schema)
      .decisions.filter(({ kind }) => kind !== "any")
      .map((decision) => (decision.kind === "everything" ? waitsAlone(decision) : decision));
    return { facts: kept.facts.map(unreadable), decisions: [...kept.decisions, ...anew] };
  }

  /** As {@link judge}, for those who ask only where it goes: the facts may be those of a text with other literals. */
  judgeShape(text: Buffer): Judgement {
    const { modes } = this.settings;
    const { schema } = this.names;
    return this.#context.traffic.cache.judgeShape(
      text,
      this.#scopeKey(modes, schema),
      modes,
      this.names.scopeWith(schema),
    );
  }

  /** As {@link judge}, of a prepared statement that is executed again and again. Only without temporary tables. */
  judgePrepared(statement: PreparedStatement): Judgement {
    const { modes } = this.settings;
    const { serial } = this.#context.traffic.cache;
    const { judged } = statement;
    if (judged !== undefined && judged.rulesSerial === serial && judged.modes === modes) return judged;
    const { facts, decisions } = this.judgeKept(statement);
    statement.judged = { facts, decisions, rulesSerial: serial, modes };
    return statement.judged;
  }

  /** Something keeps the session from going where a statement's tables are, or must go ahead of it. */
  get hasTies(): boolean {
    return this.transaction.isLazy || this.pins.size > 0 || this.names.temporaryTables > 0 || this.oneShot.length > 0;
  }

  /** The status flags of an OK that no server has sent. */
  statusLike(backend: SessionBackend | undefined): number {
    const kept = STATUS.AUTOCOMMIT | STATUS.NO_BACKSLASH_ESCAPES;
    return ((backend?.connection.status ?? STATUS.AUTOCOMMIT) & kept) | this.transaction.lazyFlags;
  }

  /** Tables that a statement has used, once its reply has ended and the transaction's state is known. */
  used(tables: readonly string[]): void {
    // One table after the other, each by itself: what most statements are.
    const [first] = tables;
    if (tables.length === 1 && first !== undefined && this.transaction.isNone && this.#together.size === 0) {
      if (!this.#used.has(first) && this.#used.size < this.#context.limits.tablesPerSessionMax) this.#used.add(first);
      return;
    }
    for (const table of tables) {
      if (this.#used.size < this.#context.limits.tablesPerSessionMax) this.#used.add(table);
      if (!this.transaction.isNone) this.#together.add(table);
    }
    if (this.transaction.isNone) {
      if (this.#together.size > 0) this.#endTogether(tables);
      else this.#context.seen.note(tables);
    }
  }

  /** Whether one of these tables was used. A session that has used too many to remember may have used any. */
  hasUsed(tables: ReadonlySet<string>): boolean {
    if (this.#used.size >= this.#context.limits.tablesPerSessionMax) return true;
    for (const table of tables) if (this.#used.has(table)) return true;
    return false;
  }

  /** A connection has ended: where it was the one that knew the session's LAST_INSERT_ID(), nobody knows it any more. */
  insertIdGoneWith(backend: string): void {
    if (this.insertBackend === backend) this.insertBackend = NO_BACKEND;
  }

  /** What this session has open at a backend; a drain waits for it. */
  openOn(backend: string): Tie | undefined {
    if (this.transaction.backend === backend) return { reason: TRANSACTION_OPEN, cause: this.transaction.cause };
    const pinned = this.pins.openAt(backend);
    if (pinned !== undefined) return pinned;
    for (const { cursor, cursorCause } of this.prepared.values()) {
      if (cursor?.name === backend) return { reason: CURSOR_OPEN, cause: cursorCause };
    }
    return undefined;
  }

  /** Whether a session that has something open at a backend has more there than a transaction. */
  moreThanTransactionOn(backend: string): boolean {
    if (this.pins.openAt(backend) !== undefined) return true;
    for (const { cursor } of this.prepared.values()) if (cursor?.name === backend) return true;
    return false;
  }

  /** A statement that has succeeded is the cause of whatever ties the session since. */
  explain(text: Buffer): void {
    const cause = (): Cause => this.causeNow(text);
    this.pins.explain(cause);
    this.names.explain(cause);
  }

  causeNow(text: Buffer): Cause {
    return causeOf(text, this.settings.modes, this.#context.clock.monotonicMs());
  }

  /** What the session would lose with its connection to this backend. */
  tiedTo(backend: string): string | Tie | undefined {
    return (
      this.openOn(backend) ??
      this.pins.at(backend) ??
      this.names.temporaryAt(backend) ??
      (this.settings.isUnreadAt(backend) ? "user variables" : undefined) ??
      (this.userLocksAt === backend ? "user-level locks" : undefined)
    );
  }

  /** The connection to a backend has ended, and what the session had open there. */
  lost(backend: string): void {
    if (this.transaction.backend === backend) this.transaction.ended();
    this.pins.lost(backend);
  }

  /** COM_RESET_CONNECTION, or another login on the same connection: all is gone but the schema. */
  reset(by: "login" | "reset"): void {
    this.transaction.ended();
    this.#endTogether([]);
    this.pins.clearAll();
    this.settings.reset(by);
    this.prepared.clear();
    this.handlers.clear();
    this.userLocksAt = undefined;
    this.textPrepared.clear();
    this.unknownCalls.clear();
    this.names.dropAllTemporary();
    this.oneShot = [];
    this.oneShotSent = [];
    this.option = undefined;
    this.longDataBytes = 0;
    this.insertBackend = undefined;
  }

  /** Made anew only when modes or schema are others than at the last judgement: the modes are never changed in place. */
  #scopeKey(modes: SqlModes, schema: string | undefined): string {
    const last = this.#lastScope;
    if (last !== undefined && last.modes === modes && last.schema === schema) return last.key;
    const key = scopeKey(modes, schema);
    this.#lastScope = { modes, schema, key };
    return key;
  }

  #judgeBy(modes: SqlModes, text: Buffer, schema: string | undefined): Judgement {
    return this.#context.traffic.cache.judge(text, this.#scopeKey(modes, schema), modes, this.names.scopeWith(schema));
  }

  #endTogether(tables: readonly string[]): void {
    for (const table of tables) this.#together.add(table);
    this.#context.seen.note(this.#together);
    this.#together.clear();
  }
}

/** A decision of which only counts what it waits for. */
function waitsAlone({ heldBy, armedBy }: Decision): Decision {
  return { kind: "any", tables: [], heldBy, armedBy };
}

/** What it sets is written in a way that other servers would not read now. */
function unreadable(facts: StatementFacts): StatementFacts {
  const { setAssignments } = facts;
  if (setAssignments === undefined) return facts;
  return { ...facts, setAssignments: setAssignments.map((one) => ({ ...one, literal: false })) };
}
