import { tableKey } from "../base/table-name.ts";
import type { RowsEvent } from "../binlog/binlog-event.ts";
import { type RowImage, RowWalker } from "../binlog/row-walker.ts";
import type { Gtid } from "../gtid/gtid-set.ts";
import type { RowJudge } from "./row-judge.ts";
import { SqlWriter } from "./sql-writer.ts";
import type { TableLayout } from "./table-layout.ts";

/** What a statement sent to the target is expected to do. */
export interface ExpectedStatement {
  readonly table: string;
  readonly verb: "insert" | "update" | "delete";
  /** Rows that it must find. */
  rows: number;
  /** Where in {@link RenderedChanges.sql} the keys of these rows begin, for an update or a removal, and end. */
  keysFrom: number;
  keysTo: number;
}

/** Rendered changes: statements that end in semicolons, and what each must do. */
export interface RenderedChanges {
  readonly sql: Buffer;
  readonly expected: readonly ExpectedStatement[];
  readonly rows: number;
}

/** A statement is ended when it has grown to this size, or to this many rows. */
const STATEMENT_BYTES = 128 * 1024;
const STATEMENT_ROWS = 200;

/**
 * Renders rows events into statements, in order. Rows that follow each other in one event share a statement where
 * they are all inserted or all deleted; each update is its own, and so is each removal where rows have no key.
 */
export class RowRenderer {
  readonly #out = new SqlWriter();
  #expected: ExpectedStatement[] = [];
  #open: ExpectedStatement | undefined;
  #openStart = 0;
  #rows = 0;

  /** Bytes rendered and not taken. */
  get length(): number {
    return this.#out.length;
  }

  /** Adds those rows of the event that the judge lets through. */
  add(event: RowsEvent, layout: TableLayout, judge: RowJudge, gtid: Gtid): void {
    const table = tableKey(layout.shape.name);
    const walker = new RowWalker(event);
    const applies = (image: RowImage): boolean =>
      judge.settled || judge.applies(layout.kinds === undefined ? undefined : layout.keyOf(image), gtid);
    while (walker.next()) {
      if (event.operation === "write") {
        if (applies(walker.after)) this.#insert(layout, table, walker.after);
      } else if (event.operation === "delete") {
        if (applies(walker.before)) this.#delete(layout, table, walker.before);
      } else {
        const removes = applies(walker.before);
        const adds = applies(walker.after);
        if (removes && adds) this.#update(layout, table, walker.before, walker.after);
        else if (removes) this.#delete(layout, table, walker.before);
        else if (adds) this.#insert(layout, table, walker.after);
      }
    }
    this.#close();
  }

  /** What has been rendered since the last call. */
  take(): RenderedChanges {
    const changes = { sql: this.#out.take(), expected: this.#expected, rows: this.#rows };
    this.#expected = [];
    this.#rows = 0;
    return changes;
  }

  #insert(layout: TableLayout, table: string, image: RowImage): void {
    if (this.#continue(table, "insert")) this.#out.ascii(",");
    else {
      this.#begin(table, "insert");
      this.#out.raw(layout.insertHead);
    }
    layout.writeValues(this.#out, image);
    this.#count();
  }

  #delete(layout: TableLayout, table: string, image: RowImage): void {
    if (!layout.keyless && this.#continue(table, "delete")) this.#out.ascii(" OR ");
    else {
      this.#begin(table, "delete");
      this.#out.raw(layout.deleteHead);
    }
    this.#writeKey(layout, image);
    this.#count();
  }

  #update(layout: TableLayout, table: string, before: RowImage, after: RowImage): void {
    this.#begin(table, "update");
    this.#out.raw(layout.updateHead);
    layout.writeAssignments(this.#out, after);
    this.#out.ascii(" WHERE ");
    this.#writeKey(layout, before);
    this.#count();
    this.#close();
  }

  #writeKey(layout: TableLayout, image: RowImage): void {
    const from = this.#out.length;
    layout.writeCondition(this.#out, image);
    // What tells a row of a table without a key apart is all of it, and that is nobody else's business.
    if (this.#open === undefined || layout.keyless) return;
    if (this.#open.keysTo === 0) this.#open.keysFrom = from;
    this.#open.keysTo = this.#out.length;
  }

  /** Whether the open statement takes one more row of this kind. */
  #continue(table: string, verb: ExpectedStatement["verb"]): boolean {
    const open = this.#open;
    if (open === undefined || open.table !== table || open.verb !== verb) return false;
    return open.rows < STATEMENT_ROWS && this.#out.length - this.#openStart < STATEMENT_BYTES;
  }

  #begin(table: string, verb: ExpectedStatement["verb"]): void {
    this.#close();
    this.#open = { table, verb, rows: 0, keysFrom: 0, keysTo: 0 };
    this.#openStart = this.#out.length;
    this.#expected.push(this.#open);
  }

  #count(): void {
    if (this.#open !== undefined) this.#open.rows++;
    this.#rows++;
  }

  #close(): void {
    if (this.#open === undefined) return;
    this.#out.ascii(";");
    this.#open = undefined;
  }
}
