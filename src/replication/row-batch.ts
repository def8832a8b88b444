import type { RowOperation, RowsEvent } from "../binlog/binlog-event.ts";
import { type RowImage, RowWalker } from "../binlog/row-walker.ts";
import { rowsEventHead, tableMapEvent } from "../binlog/rows-writer.ts";
import type { TableMap } from "../binlog/table-map.ts";
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

/** What a row was before the batch, and is after it; absent where it is not there. */
interface NetChange {
  readonly before: Slice | undefined;
  readonly after: Slice | undefined;
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
  readonly layout: TableLayout;
  readonly rows: Map<string, NetChange>;
}

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

  /** The events, one behind the other, and begins anew. @param seconds since 1970, when the rows were changed. */
  take(seconds: number): Buffer {
    const out: Buffer[] = [];
    for (const part of this.#parts) {
      if ("event" in part) writeLogged(out, part.event, seconds);
      else if ("counts" in part) writeCounted(out, part, seconds);
      else writeNet(out, part, seconds);
    }
    this.#parts = [];
    this.#tables.clear();
    this.#counted.clear();
    this.#bytes = 0;
    return Buffer.concat(out);
  }

  /** The same table under another number may have another definition: what was gathered of it goes first. */
  #tableOf(layout: TableLayout, map: TableMap): NetTable {
    const name = `${map.schema}\0${map.table}`;
    const open = this.#tables.get(name);
    if (open?.map === map) return open;
    const table: NetTable = { map, layout, rows: new Map() };
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

  #put(table: NetTable, event: RowsEvent): void {
    const walker = new RowWalker(event);
    const { rows } = event;
    while (walker.next()) {
      const { begin, afterBegin, end } = walker;
      if (event.operation === "write") {
        change(table, walker.after, undefined, { rows, from: begin, to: end });
      } else if (event.operation === "delete") {
        change(table, walker.before, { rows, from: begin, to: end }, undefined);
      } else {
        const before = { rows, from: begin, to: afterBegin };
        const after = { rows, from: afterBegin, to: end };
        if (keyOf(table, walker.before) === keyOf(table, walker.after)) change(table, walker.before, before, after);
        else {
          change(table, walker.before, before, undefined);
          change(table, walker.after, undefined, after);
        }
      }
    }
  }
}

function change(table: NetTable, image: RowImage, before: Slice | undefined, after: Slice | undefined): void {
  const key = keyOf(table, image);
  const earlier = table.rows.get(key);
  const first = earlier === undefined ? before : earlier.before;
  if (first === undefined && after === undefined) table.rows.delete(key);
  else table.rows.set(key, { before: first, after });
}

function count({ counts }: CountedTable, row: Slice, more: number): void {
  const content = row.rows.toString("latin1", row.from, row.to);
  const known = counts.get(content);
  if (known === undefined) counts.set(content, { row, more });
  else known.more += more;
}

/** The bytes of the key, each column behind its length. */
function keyOf({ layout }: NetTable, image: RowImage): string {
  const [only] = layout.key;
  if (layout.key.length === 1 && only !== undefined) return text(image, only);
  let key = "";
  for (const position of layout.key) {
    const part = text(image, position);
    key += `${part.length}:${part}`;
  }
  return key;
}

function text(image: RowImage, position: number): string {
  return image.buffer.toString("latin1", image.starts[position], image.ends[position]);
}

function writeLogged(out: Buffer[], event: RowsEvent, seconds: number): void {
  const head = rowsEventHead(event.table, event.operation, event.rows.length, seconds);
  out.push(tableMapEvent(event.table, seconds), head, event.rows);
}

function writeNet(out: Buffer[], table: NetTable, seconds: number): void {
  const deleted: Buffer[] = [];
  const updated: Buffer[] = [];
  const inserted: Buffer[] = [];
  for (const { before, after } of table.rows.values()) {
    if (before !== undefined && after !== undefined) updated.push(bytesOf(before), bytesOf(after));
    else if (before !== undefined) deleted.push(bytesOf(before));
    else if (after !== undefined) inserted.push(bytesOf(after));
  }
  writeRows(out, table.map, "delete", deleted, seconds);
  writeRows(out, table.map, "update", updated, seconds);
  writeRows(out, table.map, "write", inserted, seconds);
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
