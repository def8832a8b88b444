import { type Deferred, deferred } from "../base/deferred.ts";
import { isSwitchyardError, messageOf, SwitchyardError } from "../base/errors.ts";
import { type TableName, tableKey } from "../base/table-name.ts";
import { BinlogDecoder } from "../binlog/binlog-decoder.ts";
import type { BinlogEvent, PayloadEvent, RowsEvent } from "../binlog/binlog-event.ts";
import { type RowImage, RowWalker, VALUE_ABSENT } from "../binlog/row-walker.ts";
import type { TableMap } from "../binlog/table-map.ts";
import { type TransactionPart, TransactionReader } from "../binlog/transaction-reader.ts";
import { formatGtid, type Gtid, GtidSet, GtidSetBuilder } from "../gtid/gtid-set.ts";
import { Connection } from "../mysql/connection.ts";
import { dumpRequest } from "../mysql/dump-request.ts";
import type { Endpoint } from "../mysql/endpoint.ts";
import { alike, type CarriedTable } from "../table/carried-columns.ts";
import { DdlJudge } from "./ddl-judge.ts";
import { requireServer, serverUuid } from "./server-identity.ts";
import { SqlWriter } from "./sql-writer.ts";
import { readerAttributes, type StreamName } from "./stream-session.ts";
import { TableLayout } from "./table-layout.ts";

/** Finds the rows of a key that was changed: on the server whose log says so, and on the other one. */
export interface TouchedRow {
  readonly here: string;
  readonly there: string;
}

/** What a part of a log says of the tables. */
export interface TouchedBatch {
  /** By table; each row once. */
  readonly rows: ReadonlyMap<string, readonly TouchedRow[]>;
  /** Tables whose rows nothing tells apart, and that were changed. */
  readonly keyless: ReadonlySet<string>;
  /** All transactions up to here are in this batch or an earlier one. */
  readonly through: GtidSet;
  /** Whoever reads the rows must see these: also the one that was read in part. A log shows them a moment before the tables do. */
  readonly visible: GtidSet;
  /** All that was asked for has been read. */
  readonly done: boolean;
  /** Why nobody can say from here on which rows were changed: a definition statement, or rows that came as text. */
  readonly stopped?: string;
}

export interface TouchedRowsOptions {
  readonly name: StreamName;
  readonly endpoint: Endpoint;
  readonly end: "source" | "target";
  /** `server_uuid` of that server; any where it is empty. */
  readonly serverUuid: string;
  /** From this server's tables to the other's. */
  readonly tables: readonly { readonly name: TableName; readonly carried: CarriedTable }[];
  /** Transactions in it are not looked at. */
  readonly from: GtidSet;
  /** Read up to here; some of what comes later may be among it. */
  readonly upTo: GtidSet;
  readonly rowsMax: number;
  readonly bytesMax: number;
  readonly signal: AbortSignal;
}

const HEARTBEAT_MS = 1000;
/** Heartbeats in a row, without a transaction, after which what is waited for will not come. */
const HEARTBEATS_MAX = 60;
const SESSION = "SET SESSION net_write_timeout = 86400, wait_timeout = 86400";
/** What a row takes in memory beside its conditions. */
const ROW_OVERHEAD_BYTES = 200;
const SHOWN_MAX = 100;

interface Layouts {
  readonly here: TableLayout;
  /** Absent where the other side calls its columns the same. */
  readonly there: TableLayout | undefined;
}

/** Reads a server's binary log for rows of the tables that it has changed, whoever did. Memory is bounded; the server waits. */
export class TouchedRows {
  readonly #options: TouchedRowsOptions;
  readonly #decoder = new BinlogDecoder();
  readonly #reader = new TransactionReader();
  readonly #judge: DdlJudge;
  readonly #seen: GtidSetBuilder;
  readonly #byName: ReadonlyMap<string, CarriedTable>;
  readonly #layouts = new WeakMap<TableMap, Layouts | "other">();
  readonly #out = new SqlWriter(1024);
  #rows = new Map<string, Map<string, TouchedRow>>();
  #keyless = new Set<string>();
  #count = 0;
  #bytes = 0;
  #gtid: Gtid | undefined;
  #touches = false;
  #quiet = 0;
  #stopped: string | undefined;
  #failure: { readonly error: unknown } | undefined;
  #progress: Deferred<void> = deferred();
  /** Set while there is no room for more. */
  #full: Deferred<void> | undefined;
  #connection: Connection | undefined;

  private constructor(options: TouchedRowsOptions) {
    this.#options = options;
    this.#seen = new GtidSetBuilder(options.from);
    this.#judge = new DdlJudge(options.tables.map(({ name }) => name));
    this.#byName = new Map(options.tables.map(({ name, carried }) => [tableKey(name), carried]));
  }

  /** @throws {SwitchyardError} `STREAM_SOURCE_CHANGED`, `STREAM_TARGET_CHANGED`, and those of connections */
  static async open(options: TouchedRowsOptions): Promise<TouchedRows> {
    const rows = new TouchedRows(options);
    if (!options.from.contains(options.upTo)) await rows.#open();
    return rows;
  }

  /**
   * The next part: as much as there is room for. Right after each other only, until one is `done` or has `stopped`.
   *
   * @throws {SwitchyardError} `CANCELLED`, and what reading the log throws, as where the server has purged it
   */
  async next(): Promise<TouchedBatch> {
    this.#full?.resolve();
    this.#full = undefined;
    while (this.#full === undefined && !this.#isDone && this.#stopped === undefined) {
      if (this.#failure !== undefined) throw this.#failure.error;
      await this.#progress.promise;
      this.#progress = deferred();
    }
    return this.#take();
  }

  close(): void {
    this.#full?.resolve();
    this.#connection?.destroy();
  }

  async #open(): Promise<void> {
    const { endpoint, name, signal, end, from } = this.#options;
    const connection = await Connection.connect(endpoint, { attributes: readerAttributes(name), signal });
    this.#connection = connection;
    const cut = (): void => this.#fail(new SwitchyardError("CANCELLED", { what: "reading a binary log was given up" }));
    signal.addEventListener("abort", cut, { once: true });
    if (signal.aborted) cut();
    try {
      requireServer(end, this.#options.serverUuid, await serverUuid(connection));
      await connection.query(SESSION);
    } catch (error) {
      connection.destroy();
      signal.removeEventListener("abort", cut);
      throw error;
    }
    const request = dumpRequest(from, HEARTBEAT_MS);
    const ended = (error: unknown): void => {
      signal.removeEventListener("abort", cut);
      this.#fail(error);
    };
    connection
      .binlogDump(request, (packet) => this.#event(packet))
      .then(
        () => ended(new SwitchyardError("MYSQL_CONNECTION_LOST", { what: "the server ended the dump of its log" })),
        ended,
      );
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#progress.resolve();
    this.close();
  }

  get #isDone(): boolean {
    return this.#seen.build().contains(this.#options.upTo);
  }

  #take(): TouchedBatch {
    const through = this.#seen.build();
    const partial = this.#gtid === undefined ? through : through.union(GtidSet.parse(formatGtid(this.#gtid)));
    const batch = {
      rows: new Map([...this.#rows].map(([table, rows]) => [table, [...rows.values()]])),
      keyless: this.#keyless,
      through,
      visible: partial,
      done: this.#isDone,
      ...(this.#stopped === undefined ? {} : { stopped: this.#stopped }),
    };
    this.#rows = new Map();
    this.#keyless = new Set();
    this.#count = 0;
    this.#bytes = 0;
    if (batch.done || this.#stopped !== undefined) this.close();
    return batch;
  }

  #event(packet: Buffer): Promise<void> | undefined {
    const event = this.#decoder.decode(packet);
    if (event.kind === "heartbeat") {
      this.#quiet += 1;
      if (this.#quiet >= HEARTBEATS_MAX) this.#fail(this.#missing());
      return undefined;
    }
    if (event.kind === "payload") return this.#unpack(event);
    let wait: Promise<void> | undefined;
    for (const part of this.#parts(event)) wait = this.#part(part) ?? wait;
    return wait;
  }

  async #unpack(payload: PayloadEvent): Promise<void> {
    for await (const event of payload.stream()) {
      for (const part of this.#parts(event)) await this.#part(part);
    }
  }

  /** What cannot be followed, as a statement with variables of its own, will not become readable by reading it again. */
  *#parts(event: BinlogEvent): Generator<TransactionPart> {
    try {
      yield* this.#reader.push(event);
    } catch (error) {
      if (!isSwitchyardError(error, "BINLOG_TRANSACTION_SHAPE")) throw error;
      this.#stop([error.facts.what, ...(error.facts.details ?? [])].join("; "));
    }
  }

  #part(part: TransactionPart): Promise<void> | undefined {
    // What comes behind is not asked for; the connection is about to be closed.
    if (this.#stopped !== undefined) return undefined;
    switch (part.kind) {
      case "begin":
        this.#gtid = part.event.gtid;
        this.#touches = false;
        return undefined;
      case "rows":
        return this.#changed(part.event);
      case "statement": {
        const verdict = this.#judge.judge(part.event);
        if (!("stop" in verdict)) return undefined;
        // Of a statement that carries rows the text is not shown.
        const what = verdict.ddl === undefined ? "rows as a statement" : part.event.sql.trim().slice(0, SHOWN_MAX);
        this.#stop(`${verdict.stop}: ${what}`);
        return undefined;
      }
      case "end":
        return this.#end(part.how);
    }
  }

  #changed(event: RowsEvent): Promise<void> | undefined {
    const key = tableKey(event.table);
    try {
      const layouts = this.#follow(event.table);
      if (layouts === "other") return undefined;
      this.#touches = true;
      if (layouts.here.keyless) this.#keyless.add(key);
      else this.#walk(event, layouts, key);
    } catch (error) {
      if (!isSwitchyardError(error)) throw error;
      this.#stop(messageOf(error));
    }
    return this.#untilRoom();
  }

  #walk(event: RowsEvent, layouts: Layouts, table: string): void {
    const rows = this.#rows.get(table) ?? new Map<string, TouchedRow>();
    this.#rows.set(table, rows);
    const walker = new RowWalker(event);
    while (walker.next()) {
      if (event.operation !== "write") this.#add(rows, layouts, walker.before);
      if (event.operation === "update") this.#add(rows, layouts, withKeyOf(layouts.here, walker));
      else if (event.operation === "write") this.#add(rows, layouts, walker.after);
    }
  }

  #add(rows: Map<string, TouchedRow>, { here, there }: Layouts, image: RowImage): void {
    here.writeCondition(this.#out, image);
    const condition = this.#out.take().toString("utf8");
    if (rows.has(condition)) return;
    there?.writeCondition(this.#out, image);
    const other = there === undefined ? condition : this.#out.take().toString("utf8");
    rows.set(condition, { here: condition, there: other });
    this.#count += 1;
    this.#bytes += condition.length * 2 + (there === undefined ? 0 : other.length * 2) + ROW_OVERHEAD_BYTES;
  }

  #untilRoom(): Promise<void> | undefined {
    if (this.#count < this.#options.rowsMax && this.#bytes < this.#options.bytesMax) return undefined;
    this.#full ??= deferred();
    this.#progress.resolve();
    return this.#full.promise;
  }

  #end(how: "commit" | "prepare"): undefined {
    const gtid = this.#gtid;
    this.#gtid = undefined;
    this.#quiet = 0;
    if (gtid === undefined) return undefined;
    // Its rows are there from its XA COMMIT on, which does not name them.
    if (how === "prepare" && this.#touches) this.#stop(`the XA transaction ${formatGtid(gtid)} is only prepared`);
    else this.#seen.add(gtid.uuid, gtid.tag, gtid.gno);
    this.#progress.resolve();
    return undefined;
  }

  #stop(why: string): void {
    this.#stopped ??= why;
    this.#progress.resolve();
  }

  #follow(map: TableMap): Layouts | "other" {
    let layouts = this.#layouts.get(map);
    if (layouts === undefined) {
      const carried = this.#byName.get(tableKey({ schema: map.schema, table: map.table }));
      layouts = carried === undefined ? "other" : layoutsOf(carried, map);
      this.#layouts.set(map, layouts);
    }
    return layouts;
  }

  #missing(): SwitchyardError {
    return new SwitchyardError("TIMEOUT", {
      what: `the binary log of server "${this.#options.endpoint.name}" does not have all of the transactions that the server says to have executed`,
    });
  }
}

function layoutsOf(carried: CarriedTable, map: TableMap): Layouts {
  const here = new TableLayout(carried.from, map, alike(carried.from));
  const sameNames = carried.columns.every(
    ({ from, to }) => carried.from.columns[from]?.name === carried.to.columns[to]?.name,
  );
  return { here, there: sameNames ? undefined : new TableLayout(carried.from, map, carried) };
}

/** The image after, with what it leaves out of the key, as a minimal one does, from the image before: that has not changed. */
function withKeyOf({ key }: TableLayout, { before, after }: RowWalker): RowImage {
  if (!key.some((position) => after.starts[position] === VALUE_ABSENT)) return after;
  const starts = after.starts.map((start, i) => (start === VALUE_ABSENT ? (before.starts[i] ?? start) : start));
  const ends = after.ends.map((end, i) => (after.starts[i] === VALUE_ABSENT ? (before.ends[i] ?? end) : end));
  return { buffer: after.buffer, starts, ends };
}
