import { describe, expect, test } from "vitest";
import { BinlogDecoder } from "../../../src/binlog/binlog-decoder.ts";
import type { RowOperation, RowsEvent } from "../../../src/binlog/binlog-event.ts";
import { COLUMN } from "../../../src/binlog/column-type.ts";
import { EventReader } from "../../../src/binlog/event-reader.ts";
import { type RowImage, RowWalker } from "../../../src/binlog/row-walker.ts";
import { formatDescriptionEvent } from "../../../src/binlog/rows-writer.ts";
import { decodeTableMap, type TableMap } from "../../../src/binlog/table-map.ts";
import { RowBatch } from "../../../src/replication/row-batch.ts";
import { TableLayout } from "../../../src/replication/table-layout.ts";
import type { ColumnShape, TableShape } from "../../../src/table/table-shape.ts";
import { fc } from "../../support/seeded-properties.ts";

const COMMITTED_SECONDS = 1_700_000_000;

function column(name: string): ColumnShape {
  return {
    name,
    dataType: "int",
    columnType: "int",
    unsigned: false,
    nullable: false,
    charset: undefined,
    collation: undefined,
    generated: false,
    autoIncrement: false,
    octets: 0,
    scale: 0,
  };
}

function shape(uniqueValue: boolean, keyless = false): TableShape {
  return {
    name: { schema: "s", table: "t" },
    engine: "InnoDB",
    columns: [column("id"), column("v")],
    primaryKey: keyless ? [] : [0],
    uniqueKeys: uniqueValue ? [{ name: "v", columns: [1], prefix: false }] : [],
    foreignKeys: [],
  };
}

/** A TABLE_MAP of two INT columns that may not be NULL, byte by byte as the manual describes it. */
function tableMap(tableId: number): TableMap {
  const body = Buffer.from([
    ...[tableId, 0, 0, 0, 0, 0, 1, 0],
    ...[1, 0x73, 0, 1, 0x74, 0],
    ...[2, COLUMN.LONG, COLUMN.LONG, 0, 0],
  ]);
  return decodeTableMap(new EventReader(body));
}

type Row = readonly [id: number, v: number];

function image([id, v]: Row): Buffer {
  const bytes = Buffer.alloc(9);
  bytes.writeInt32LE(id, 1);
  bytes.writeInt32LE(v, 5);
  return bytes;
}

function rowOf({ buffer, starts }: RowImage): Row {
  return [buffer.readInt32LE(starts[0]), buffer.readInt32LE(starts[1])];
}

function rowsEvent(table: TableMap, operation: RowOperation, images: readonly Row[]): RowsEvent {
  const columns = Buffer.from([0xff]);
  const rows = Buffer.concat(images.map(image));
  const rest = { flags: 1, statementEnd: true, partitions: undefined, partialJson: false };
  return { kind: "rows", operation, table, columns, columnsAfter: columns, rows, ...rest };
}

/** A table as a strict server keeps it: it refuses what does not fit. */
class ModelTable {
  readonly rows = new Map<number, number>();

  insert([id, v]: Row, uniqueValue: boolean): void {
    if (this.rows.has(id)) throw new Error(`duplicate ${id}`);
    if (uniqueValue && [...this.rows.values()].includes(v)) throw new Error(`duplicate value ${v}`);
    this.rows.set(id, v);
  }

  remove([id]: Row): void {
    if (!this.rows.delete(id)) throw new Error(`no row ${id}`);
  }

  apply(event: RowsEvent, uniqueValue: boolean): void {
    const walker = new RowWalker(event);
    while (walker.next()) {
      if (event.operation !== "write") this.remove(rowOf(walker.before));
      if (event.operation !== "delete") this.insert(rowOf(walker.after), uniqueValue);
    }
  }
}

/** Events as a server would read them. */
function* decoded(pieces: readonly Buffer[]): Generator<RowsEvent> {
  const events = Buffer.concat(pieces);
  const decoder = new BinlogDecoder();
  decoder.decode(formatDescriptionEvent());
  for (let at = 0; at < events.length; ) {
    const size = events.readUInt32LE(at + 9);
    expect(events.readUInt32LE(at)).toBe(COMMITTED_SECONDS);
    const event = decoder.decode(events.subarray(at, at + size));
    if (event.kind === "rows") yield event;
    at += size;
  }
}

/** Changes that a strict server has taken in this order, from a table on whose values come again. */
function history(choices: readonly (readonly [number, number, number])[], uniqueValue: boolean) {
  const model = new ModelTable();
  for (let id = 0; id < 5; id++) model.rows.set(id, id);
  const before = new Map(model.rows);
  const changes: { readonly operation: RowOperation; readonly images: readonly Row[] }[] = [];
  for (const [id, other, v] of choices) {
    const present = model.rows.get(id);
    const operation = present === undefined ? "write" : v % 3 === 0 ? "delete" : "update";
    const after: Row = [operation === "update" ? other : id, v];
    const images: Row[] = present === undefined ? [] : [[id, present]];
    if (operation !== "delete") images.push(after);
    const rows = new Map(model.rows);
    try {
      if (present !== undefined) model.remove([id, present]);
      if (operation !== "delete") model.insert(after, uniqueValue);
    } catch {
      // The server would have refused it.
      model.rows.clear();
      for (const [key, value] of rows) model.rows.set(key, value);
      continue;
    }
    changes.push({ operation, images });
  }
  return { before, changes, after: model.rows };
}

const CHOICES = fc.array(fc.tuple(fc.nat(7), fc.nat(7), fc.nat(11)), { maxLength: 60 });

describe("changes that share a transaction", () => {
  test.each([
    ["whose rows are told apart by their primary key alone", false],
    ["with another unique key, whose values change places", true],
  ])("end a strict table as they did one by one, %s", (_name, uniqueValue) => {
    fc.assert(
      fc.property(CHOICES, fc.array(fc.nat(1), { minLength: 60, maxLength: 60 }), (choices, maps) => {
        const { before, changes, after } = history(choices, uniqueValue);
        const batch = new RowBatch();
        // The number of a table changes in the middle of a log, for example when it leaves the server's cache.
        const tables = [tableMap(7), tableMap(8)] as const;
        const layouts = tables.map((map) => new TableLayout(shape(uniqueValue), map));
        for (const [i, { operation, images }] of changes.entries()) {
          const which = i < 30 ? 0 : (maps[i] ?? 0);
          const layout = layouts[which] as TableLayout;
          batch.add({ layout, event: rowsEvent(layout.map, operation, images) });
        }
        const target = new ModelTable();
        for (const [id, v] of before) target.rows.set(id, v);
        for (const event of decoded(batch.take(COMMITTED_SECONDS))) target.apply(event, uniqueValue);
        expect([...target.rows].toSorted()).toEqual([...after].toSorted());
      }),
      { numRuns: 2000 },
    );
  });

  test("of a table without a key leave as many of each row as they did one by one, in two events at most", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(2), fc.nat(3), fc.nat(3)), { maxLength: 60 }), (choices) => {
        const map = tableMap(7);
        const layout = new TableLayout(shape(false, true), map);
        const [before, after] = [Array.from({ length: 8 }, (_, i): Row => [i % 3, 0]), [] as Row[]];
        after.push(...before);
        const batch = new RowBatch();
        for (const [what, id, v] of choices) {
          const row: Row = [id, v];
          const operation = after.length === 0 || what === 0 ? "write" : what === 1 ? "delete" : "update";
          const [gone] = operation === "write" ? [] : after.splice((id * 5 + v) % after.length, 1);
          if (operation !== "delete") after.push(row);
          const images = [...(gone === undefined ? [] : [gone]), ...(operation === "delete" ? [] : [row])];
          batch.add({ layout, event: rowsEvent(map, operation, images) });
        }
        const events = [...decoded(batch.take(COMMITTED_SECONDS))];
        expect(events.map(({ operation }) => operation)).toSatisfy((list) =>
          ["", "delete", "write", "delete,write"].includes(String(list)),
        );
        const left = before.map(String);
        for (const event of events) {
          const walker = new RowWalker(event);
          while (walker.next()) {
            if (event.operation === "write") left.push(String(rowOf(walker.after)));
            else left.splice(left.indexOf(String(rowOf(walker.before))) >>> 0, 1);
          }
        }
        expect(left.toSorted()).toEqual(after.map(String).toSorted());
      }),
      { numRuns: 500 },
    );
  });

  test("are not more than one for each row", () => {
    const map = tableMap(7);
    const layout = new TableLayout(shape(false), map);
    const batch = new RowBatch();
    batch.add({ layout, event: rowsEvent(map, "write", [[1, 1], [2, 2]]) }); // biome-ignore format: rows side by side
    for (let v = 1; v < 50; v++) batch.add({ layout, event: rowsEvent(map, "update", [[1, v], [1, v + 1]]) }); // biome-ignore format: before and after
    batch.add({ layout, event: rowsEvent(map, "delete", [[2, 2]]) });
    const events = [...decoded(batch.take(COMMITTED_SECONDS))];
    expect(events.map(({ operation, rows }) => [operation, rows])).toEqual([["write", image([1, 50])]]);
    expect(batch.bytes).toBe(0);
    expect(batch.take(COMMITTED_SECONDS)).toHaveLength(0);
  });
});
