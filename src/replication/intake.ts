import type { BoundedQueue } from "../base/bounded-queue.ts";
import { type Deferred, deferred } from "../base/deferred.ts";
import { SwitchyardError } from "../base/errors.ts";
import { tableKey } from "../base/table-name.ts";
import { BinlogDecoder } from "../binlog/binlog-decoder.ts";
import type { GtidEvent, PayloadEvent, QueryEvent, RowsEvent } from "../binlog/binlog-event.ts";
import { RowWalker } from "../binlog/row-walker.ts";
import type { TableMap } from "../binlog/table-map.ts";
import { type TransactionPart, TransactionReader } from "../binlog/transaction-reader.ts";
import { wholeRows } from "../binlog/whole-rows.ts";
import { formatGtid, type Gtid } from "../gtid/gtid-set.ts";
import { SIDECAR_SCHEMA } from "../rules/sidecar-schema.ts";
import type { CopiedTable } from "./copy-state.ts";
import type { DdlJudge } from "./ddl-judge.ts";
import { beatOf } from "./heartbeat.ts";
import type { NewestTransaction } from "./ledger.ts";
import type { LoggedRows } from "./row-batch.ts";
import { hasFullImages } from "./row-events.ts";
import type { RowJudge } from "./row-judge.ts";
import { type RenderedChanges, RowRenderer } from "./row-renderer.ts";
import type { SeenDdl } from "./seen-ddl.ts";
import { LEDGER_TABLE } from "./sidecar.ts";
import type { StreamName } from "./stream-session.ts";
import { TableLayout } from "./table-layout.ts";
import type { Touched } from "./touch-history.ts";

/** What a piece changes on the target: some tables by row events, others by statements. */
export interface PieceChanges extends RenderedChanges {
  readonly logged: readonly LoggedRows[];
  readonly loggedBytes: number;
  /** Some statements change a table whose other changes go by row events: none of these may be sent behind them. */
  readonly behindLogged: boolean;
}

/** A piece of a transaction on its way to the target; small transactions are one piece. */
export interface TransactionPiece {
  readonly kind: "piece";
  readonly gtid: Gtid;
  readonly commitMicros: number;
  /** When the server that it came from first has committed it. */
  readonly originalCommitMicros: number;
  readonly first: boolean;
  readonly last: boolean;
  /** What it changes of the migrating tables; empty where it is ours. Only the first piece is asked. */
  readonly touches: Touched;
  readonly changes: PieceChanges | undefined;
  /** The heartbeat that the transaction carries. */
  readonly beat: number | undefined;
}

/** A statement that concerns the tables. Nothing that comes after it is taken: how rows are read from there on is not known. */
export interface DdlItem {
  readonly kind: "ddl";
  readonly gtid: Gtid;
  readonly commitMicros: number;
  readonly originalCommitMicros: number;
  readonly touches: Touched;
  readonly event: QueryEvent;
  readonly why: string;
  /** Absent where it is no definition, or not the whole of its transaction: nobody can go on behind it. */
  readonly ddl: SeenDdl | undefined;
}

/** `tick`: the log has nothing new. */
export type IntakeItem = TransactionPiece | DdlItem | { readonly kind: "tick" };

export interface IntakeOptions {
  readonly name: StreamName;
  readonly tables: readonly { readonly table: CopiedTable; readonly judge: RowJudge }[];
  readonly statements: DdlJudge;
  readonly queue: BoundedQueue<IntakeItem>;
  readonly queueBytesMax: number;
  /** The last transaction of which the ledger knows: it comes again, and must be the same. */
  readonly newest: NewestTransaction | undefined;
  /** Tables whose changes are applied as row events, once no part of them waits to be copied. */
  readonly asRowEvents: ReadonlySet<string>;
  /** Columns that are written on the source and not there on the target, by table. */
  readonly missing: ReadonlyMap<string, readonly string[]>;
}

const PIECE_BYTES = 64 * 1024;
/** What an item, and an event in it, weighs in the queue besides its bytes. */
const ITEM_BYTES = 600;
/** Bytes are kept as they lie where the memory around them is at most so many times as large. */
const OWN_MEMORY_MAX = 1.25;

interface RunningTransaction {
  readonly event: GtidEvent;
  first: boolean;
  /** It changes our ledger: nothing of it is ours to apply. */
  own: boolean;
  readonly touches: Set<string>;
  beat: number | undefined;
  /** It is applied already, and was asked for only to be looked at. */
  readonly known: boolean;
}

interface FollowedTable {
  readonly layout: TableLayout;
  readonly judge: RowJudge;
  readonly asRowEvents: boolean;
}

/**
 * Turns the events of one dump into pieces of transactions, rendered as SQL, and puts them into a queue. What does
 * not concern the stream is passed over here: other tables, and transactions that a stream of ours has made.
 */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #decoder = new BinlogDecoder();
  readonly #reader = new TransactionReader();
  readonly #renderer = new RowRenderer();
  readonly #byName = new Map<string, { readonly table: CopiedTable; readonly judge: RowJudge }>();
  /** By table map: the decoder gives the same object for the same map. */
  readonly #followed = new WeakMap<TableMap, FollowedTable | "other">();
  #transaction: RunningTransaction | undefined;
  #logged: LoggedRows[] = [];
  #loggedBytes = 0;
  #loggedRows = 0;
  #behindLogged = false;
  /** Set at a statement of the tables: nothing more is taken until {@link release}. */
  #halted: Deferred<void> | undefined;

  constructor(options: IntakeOptions) {
    this.#options = options;
    for (const entry of options.tables) this.#byName.set(entry.table.key, entry);
  }

  /** Takes one event; a promise where the queue is full. */
  event(packet: Buffer): Promise<void> | undefined {
    const event = this.#decoder.decode(packet);
    if (event.kind === "heartbeat") return this.#push({ kind: "tick" }, ITEM_BYTES);
    if (event.kind === "payload") return this.#unpack(event);
    let wait: Promise<void> | undefined;
    for (const part of this.#reader.push(event)) wait = this.#part(part) ?? wait;
    return wait;
  }

  /** The parts of a compressed transaction, unpacked piece by piece as fast as the queue takes them. */
  async #unpack(payload: PayloadEvent): Promise<void> {
    for await (const event of payload.stream()) {
      for (const part of this.#reader.push(event)) await this.#part(part);
    }
  }

  #part(part: TransactionPart): Promise<void> | undefined {
    if (this.#halted !== undefined) return this.#halted.promise;
    switch (part.kind) {
      case "begin":
        this.#verify(part.event);
        this.#transaction = {
          event: part.event,
          first: true,
          own: false,
          touches: new Set(),
          beat: undefined,
          known: this.#isKnown(part.event.gtid),
        };
        return undefined;
      case "rows":
        return this.#rows(part.event);
      case "statement":
        return this.#statement(part.event);
      case "end":
        return this.#end(part.how);
    }
  }

  #statement(event: QueryEvent): Promise<void> | undefined {
    const { event: of, own, known, first, touches } = this.#running();
    const verdict = this.#options.statements.judge(event);
    if (!("stop" in verdict) || own || known) return undefined;
    const ddl = first && touches.size === 0 ? verdict.ddl : undefined;
    this.#halted = deferred();
    const { gtid, commitMicros, originalCommitMicros } = of;
    const touched = ddl === undefined ? "all" : new Set(ddl.tables.map(tableKey));
    const facts = { gtid, commitMicros, originalCommitMicros, touches: touched } as const;
    const pushed = this.#push({ kind: "ddl", ...facts, event, why: verdict.stop, ddl }, ITEM_BYTES + event.sql.length);
    return pushed ?? this.#halted.promise;
  }

  /** Ends the waiting of whoever hands events in. */
  release(): void {
    this.#halted?.resolve();
  }

  #rows(logged: RowsEvent): Promise<void> | undefined {
    const transaction = this.#running();
    // Of one that is only looked at, the table may have become another one since.
    if (transaction.own || transaction.known) return undefined;
    if (logged.table.schema === SIDECAR_SCHEMA) {
      this.#sidecarRows(logged, transaction);
      return undefined;
    }
    const followed = this.#follow(logged.table);
    if (followed === "other") return undefined;
    const event = wholeRows(logged);
    if (event === undefined) throw partialJson(tableKey(logged.table));
    transaction.touches.add(tableKey(event.table));
    let wait: Promise<void> | undefined;
    if (followed.asRowEvents && hasFullImages(event)) this.#keep(event, followed.layout);
    else {
      // What a client logs with fewer columns: within a piece statements come first, and earlier changes of the table would not.
      if (followed.asRowEvents && this.#logged.length > 0) wait = this.#pushPiece(false);
      this.#behindLogged ||= followed.asRowEvents;
      this.#renderer.add(event, followed.layout, followed.judge, transaction.event.gtid);
    }
    if (wait !== undefined) return wait;
    return this.#renderer.length + this.#loggedBytes >= PIECE_BYTES ? this.#pushPiece(false) : undefined;
  }

  /** Keeps an event as it is, after a look at all of it: what is passed on to the target is whole. */
  #keep(event: RowsEvent, layout: TableLayout): void {
    const walker = new RowWalker(event);
    while (walker.next()) this.#loggedRows++;
    const { fullImage } = layout;
    const kept = { ...event, rows: ownBytes(event.rows), columns: fullImage, columnsAfter: fullImage };
    this.#logged.push({ layout, event: kept });
    this.#loggedBytes += event.rows.length;
  }

  #takeChanges(): PieceChanges | undefined {
    if (this.#renderer.length === 0 && this.#logged.length === 0) return undefined;
    const rendered = this.#renderer.take();
    const rows = rendered.rows + this.#loggedRows;
    const changes = {
      ...rendered,
      rows,
      logged: this.#logged,
      loggedBytes: this.#loggedBytes,
      behindLogged: this.#behindLogged,
    };
    this.#behindLogged = false;
    this.#logged = [];
    this.#loggedBytes = 0;
    this.#loggedRows = 0;
    return changes;
  }

  #sidecarRows(event: RowsEvent, transaction: RunningTransaction): void {
    if (event.table.table === LEDGER_TABLE) {
      if (transaction.touches.size > 0) {
        throw new SwitchyardError("REPLICATION_STATEMENT_SEEN", {
          what: `transaction ${formatGtid(transaction.event.gtid)} changed a migrating table first and the ledger of Switchyard after it`,
          changed: "The stream stopped before this transaction.",
          fix: "Nobody but Switchyard may write to the schema _switchyard. Run a diff before going on.",
        });
      }
      transaction.own = true;
      return;
    }
    transaction.beat = beatOf(event, this.#options.name) ?? transaction.beat;
  }

  #end(how: "commit" | "prepare"): Promise<void> | undefined {
    const transaction = this.#running();
    if (how === "prepare" && transaction.touches.size > 0) {
      throw new SwitchyardError("REPLICATION_XA_PREPARED", {
        what: `the XA transaction ${formatGtid(transaction.event.gtid)} changes migrating tables and is only prepared`,
        details: ["whether it will be committed is not known yet"],
        changed: "The stream stopped before it; nothing of it was applied.",
        fix: "Move these tables while no XA transactions use them, or let the application use ordinary transactions.",
      });
    }
    return this.#pushPiece(true);
  }

  #pushPiece(last: boolean): Promise<void> | undefined {
    const transaction = this.#running();
    const changes = this.#takeChanges();
    const piece: TransactionPiece = {
      kind: "piece",
      gtid: transaction.event.gtid,
      commitMicros: transaction.event.commitMicros,
      originalCommitMicros: transaction.event.originalCommitMicros,
      first: transaction.first,
      last,
      touches: last ? transaction.touches : "all",
      changes,
      beat: transaction.beat,
    };
    transaction.first = false;
    if (last) this.#transaction = undefined;
    if (transaction.known) return undefined;
    return this.#push(piece, weightOf(changes));
  }

  #push(item: IntakeItem, bytes: number): Promise<void> | undefined {
    const full = this.#options.queue.size + bytes > this.#options.queueBytesMax;
    const pushed = this.#options.queue.push(item, bytes);
    if (full) return pushed;
    // What makes the queue fail is seen by whoever takes from it.
    pushed.catch(() => undefined);
    return undefined;
  }

  /** The newest transaction of the ledger is asked for again, only to be looked at. */
  #isKnown(gtid: Gtid): boolean {
    const { newest } = this.#options;
    return newest !== undefined && newest.gtid === formatGtid(gtid);
  }

  #verify(event: GtidEvent): void {
    const { newest } = this.#options;
    if (newest === undefined || !this.#isKnown(event.gtid)) return;
    const { commitMicros, originalCommitMicros } = event;
    if ([commitMicros, originalCommitMicros].some((micros) => BigInt(micros) === newest.commitUs)) return;
    throw new SwitchyardError("STREAM_SOURCE_WENT_BACK", {
      what: `the source gave the GTID ${newest.gtid} to another transaction than the one that was applied`,
      details: [`applied    committed at ${newest.commitUs} µs`, `the source  committed at ${originalCommitMicros} µs`],
      changed: "Nothing was applied since.",
      fix: "The source has lost transactions (a crash with sync_binlog other than 1, or a restore). Cancel the migration and create it again.",
    });
  }

  #follow(map: TableMap): FollowedTable | "other" {
    let followed = this.#followed.get(map);
    if (followed === undefined) {
      const entry = this.#byName.get(tableKey({ schema: map.schema, table: map.table }));
      followed = entry === undefined ? "other" : this.#followedTable(entry.table, entry.judge, map);
      this.#followed.set(map, followed);
    }
    return followed;
  }

  #followedTable(table: CopiedTable, judge: RowJudge, map: TableMap): FollowedTable {
    const [missing] = this.#options.missing.get(table.key) ?? [];
    if (missing !== undefined) throw columnMissing(table.key, missing);
    const asRowEvents = judge.settled && this.#options.asRowEvents.has(table.key);
    return { layout: new TableLayout(table.shape, map, table.carried), judge, asRowEvents };
  }

  #running(): RunningTransaction {
    if (this.#transaction === undefined) {
      throw new SwitchyardError("INTERNAL_INVARIANT", { what: "a part of a transaction came without its beginning" });
    }
    return this.#transaction;
  }
}

/**
 * Bytes that may wait. What they lie in waits with them, so that few bytes of what has come at once are copied; a long event
 * came in memory of its own.
 */
function ownBytes(bytes: Buffer): Buffer {
  return bytes.buffer.byteLength <= bytes.length * OWN_MEMORY_MAX ? bytes : Buffer.from(bytes);
}

function weightOf(changes: PieceChanges | undefined): number {
  if (changes === undefined) return ITEM_BYTES;
  return ITEM_BYTES * (1 + changes.logged.length) + changes.sql.length + changes.loggedBytes;
}

function columnMissing(table: string, column: string): SwitchyardError {
  return new SwitchyardError("REPLICATION_COLUMN_MISSING", {
    what: `rows of ${table} come with column ${column}, which the table on the target does not have`,
    changed: "The stream stopped before the first such row; nothing of its transaction was kept.",
    fix: `Add the column on the target as it is on the source, then \`switchyard migration resume\`, and run a diff: rows that were there before it may have values in it.`,
  });
}

/** A change came as differences of JSON values, without the values that they belong to. */
function partialJson(table: string): SwitchyardError {
  return new SwitchyardError("BINLOG_EVENT_REFUSED", {
    what: `a change of ${table} was logged as a partial update of JSON values, without the values before (binlog_row_image is not FULL)`,
    changed: "The stream stopped before this row; nothing of its transaction was kept.",
    fix: "Set binlog_row_image=FULL or binlog_row_value_options='' on the source, also for sessions that set it themselves, then cancel the migration and create it again.",
  });
}
