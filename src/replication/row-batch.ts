import type { RowOperation, RowsEvent } from "../binlog/binlog-event.ts";
import { RowWalker } from "../binlog/row-walker.ts";
import { rowsEventHead, tableMapEvent } from "../binlog/rows-writer.ts";
import type { TableMap } from "../binlog/table-map.ts";
import { type NetKind, NetRows } from "./net-rows.ts";
import type { TableLayout } from "./table-layout.ts";

/** Changes of one rows event that are to be applied as the log has them. */
export interface LoggedRows {
  readonly layout: TableLayout;
  /** Its bytes are its own: they outlive the packet that it came in. */
  readonly event: RowsEvent;
}

/** A row image: bytes of an event from one offset to another. */
interface Slice {
  readonly rows: Buffer;
  readonly from: number;
  readonly to: number;
}

/** How often a row is there after the batch, against before. */
interface RowCount {
  readonly row: Slice;
  more: number;
}

/** Rows of one definition of a table that has no key: what counts is how often each is there. */
interface CountedTable {
  readonly map: TableMap;
  readonly counts: Map<string, RowCount>;
}

/** Rows of one definition of a table whose net changes can be put together. */
interface NetTable {
  readonly map: TableMap;
  readonly net: NetRows;
}

/** In the order in which a server can apply them. */
const NET_KINDS: readonly NetKind[] = ["delete", "update", "write"];
/** So many tables' room for rows is kept from one batch to the next. */
const SPARE_MAX = 4;

/**
 * Gathers rows events of whole transactions, or of parts of one, and gives events that have the same effect.
 *
 * In a table whose rows are told apart by the bytes of their key, and that has no other unique key, only what
 * becomes of each row is kept: first those that are gone, then those that changed, then the new ones. In a table without
 * a key only how many there are of each row: first those that are gone, all in one event, for which the server reads the
 * table once, then the new ones. In other tables
 * the changes stay as they came, since the order of rows with equal unique values matters. Tables do not wait for each
 * other: foreign keys are not checked where such events are applied.
 */
export class RowBatch {
  /** In the order in which their tables were first met, or their events came. */
  #parts: (NetTable | CountedTable | LoggedRows)[] = [];
  readonly #tables = new Map<string, NetTable>();
  readonly #counted = new Map<string, CountedTable>();
  readonly #spare: NetRows[] = [];
  #bytes = 0;

  /** Bytes of the events that were added since the last {@link take}. */
  get bytes(): number {
    return this.#bytes;
  }

  add(changes: LoggedRows): void {
    const { layout, event } = changes;
    this.#bytes += event.rows.length;
    if (layout.keyless) this.#count(event);
    else if (!layout.rowsByKeyBytes) this.#parts.push(changes);
    else this.#put(this.#tableOf(layout, event.table), event);
  }

  /**
   * The bytes of the events, one behind the other, in pieces; and begins anew.
   *
   * @param seconds since 1970, when the rows were changed.
   */
  take(seconds: number): Buffer[] {
    const out: Buffer[] = [];
    for (const part of this.#parts) {
      if ("event" in part) writeLogged(out, part.event, seconds);
      else if ("counts" in part) writeCounted(out, part, seconds);
      else this.#writeNet(out, part, seconds);
    }
    this.#parts = [];
    this.#tables.clear();
    this.#counted.clear();
    this.#bytes = 0;
    return out;
  }

  #writeNet(out: Buffer[], { map, net }: NetTable, seconds: number): void {
    for (const kind of NET_KINDS) writeRows(out, map, kind, net.images(kind), seconds);
    net.begin([]);
    if (this.#spare.length < SPARE_MAX) this.#spare.push(net);
  }

  /** The same table under another number may have another definition: what was gathered of it goes first. */
  #tableOf(layout: TableLayout, map: TableMap): NetTable {
    const name = `${map.schema}\0${map.table}`;
    const open = this.#tables.get(name);
    if (open?.map === map) return open;
    const net = this.#spare.pop() ?? new NetRows();
    net.begin(layout.key);
    const table: NetTable = { map, net };
    this.#tables.set(name, table);
    this.#parts.push(table);
    return table;
  }

  #count(event: RowsEvent): void {
    const { rows, table: map } = event;
    const name = `${map.schema}\0${map.table}`;
    let table = this.#counted.get(name);
    if (table?.map !== map) {
      table = { map, counts: new Map() };
      this.#counted.set(name, table);
      this.#parts.push(table);
    }
    const walker = new RowWalker(event);
    while (walker.next()) {
      const { begin, afterBegin, end } = walker;
      if (event.operation === "write") count(table, { rows, from: begin, to: end }, 1);
      else if (event.operation === "delete") count(table, { rows, from: begin, to: end }, -1);
      else {
        count(table, { rows, from: begin, to: afterBegin }, -1);
        count(table, { rows, from: afterBegin, to: end }, 1);
      }
    }
  }

  #put({ net }: NetTable, event: RowsEvent): void {
    const walker = new RowWalker(event);
    const { before, after } = walker;
    while (walker.next()) {
      const { begin, afterBegin, end } = walker;
      if (event.operation === "write") net.written(after, begin, end);
      else if (event.operation === "delete") net.deleted(before, begin, end);
      else net.updated(before, after, begin, afterBegin, end);
    }
  }
}

function count({ counts }: CountedTable, row: Slice, more: number): void {
  const content = row.rows.toString("latin1", row.from, row.to);
  const known = counts.get(content);
  if (known === undefined) counts.set(content, { row, more });
  else known.more += more;
}

function writeLogged(out: Buffer[], event: RowsEvent, seconds: number): void {
  const head = rowsEventHead(event.table, event.operation, event.rows.length, seconds);
  out.push(tableMapEvent(event.table, seconds), head, event.rows);
}

function writeCounted(out: Buffer[], table: CountedTable, seconds: number): void {
  const deleted: Buffer[] = [];
  const inserted: Buffer[] = [];
  for (const { row, more } of table.counts.values()) {
    const bytes = bytesOf(row);
    for (let i = more; i < 0; i++) deleted.push(bytes);
    for (let i = 0; i < more; i++) inserted.push(bytes);
  }
  writeRows(out, table.map, "delete", deleted, seconds);
  writeRows(out, table.map, "write", inserted, seconds);
}

function writeRows(out: Buffer[], map: TableMap, operation: RowOperation, images: Buffer[], seconds: number): void {
  if (images.length === 0) return;
  const bytes = images.reduce((sum, image) => sum + image.length, 0);
  out.push(tableMapEvent(map, seconds), rowsEventHead(map, operation, bytes, seconds));
  for (const image of images) out.push(image);
}

function bytesOf({ rows, from, to }: Slice): Buffer {
  return rows.subarray(from, to);
}
