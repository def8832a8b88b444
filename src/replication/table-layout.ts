import { SwitchyardError } from "../base/errors.ts";
import { quoteId, quoteTable, tableKey } from "../base/table-name.ts";
import { COLUMN, type ColumnType } from "../binlog/column-type.ts";
import { type RowImage, VALUE_ABSENT, VALUE_NULL } from "../binlog/row-walker.ts";
import type { TableMap } from "../binlog/table-map.ts";
import { hasValueText, valueText } from "../binlog/value-text.ts";
import { alike, type CarriedTable, keptColumns } from "../table/carried-columns.ts";
import { isByteExact, type Key, type KeyKind, keyKinds, parseKeyPart } from "../table/key-order.ts";
import { rowKey } from "../table/row-key.ts";
import type { ColumnShape, TableShape } from "../table/table-shape.ts";
import { exactCondition } from "./row-condition.ts";
import { SqlWriter } from "./sql-writer.ts";
import { fitOf, type ImageFit } from "./value-fit.ts";
import { type ValueWriter, valueWriter } from "./value-writer.ts";

/** Type codes under which a column of each type may come in the log. */
const WIRE_TYPES: Readonly<Record<string, readonly number[]>> = {
  tinyint: [COLUMN.TINY],
  smallint: [COLUMN.SHORT],
  mediumint: [COLUMN.INT24],
  int: [COLUMN.LONG],
  bigint: [COLUMN.LONGLONG],
  float: [COLUMN.FLOAT],
  double: [COLUMN.DOUBLE],
  decimal: [COLUMN.NEWDECIMAL],
  year: [COLUMN.YEAR],
  date: [COLUMN.DATE, COLUMN.NEWDATE],
  time: [COLUMN.TIME2],
  datetime: [COLUMN.DATETIME2],
  timestamp: [COLUMN.TIMESTAMP2],
  bit: [COLUMN.BIT],
  char: [COLUMN.STRING],
  binary: [COLUMN.STRING],
  varchar: [COLUMN.VARCHAR],
  varbinary: [COLUMN.VARCHAR],
  enum: [COLUMN.ENUM],
  set: [COLUMN.SET],
  json: [COLUMN.JSON],
  vector: [COLUMN.VECTOR],
};
const BLOB_TYPES: readonly number[] = [COLUMN.BLOB];
const GEOMETRY_TYPES: readonly number[] = [COLUMN.GEOMETRY];
/** So much of the key of a row goes into a message. */
const SHOWN_KEY_BYTES_MAX = 300;
const BLOBS = /^(?:tiny|medium|long)?(?:blob|text)$/;

/**
 * How the row images of one table map become SQL on the target: the shape of the table and the layout of its rows in
 * the log, checked against each other, and which column of the target each value belongs to.
 */
export class TableLayout {
  readonly shape: TableShape;
  readonly map: TableMap;
  /** How keys compare; `undefined` where only the server knows. */
  readonly kinds: readonly KeyKind[] | undefined;
  /** Positions of the columns that rows are told apart by, in key order; empty where nothing but all values does. */
  readonly key: readonly number[];
  /** Rows are the same row if and only if the bytes of their keys are, and no other key tells rows apart. */
  readonly rowsByKeyBytes: boolean;
  /** The bitmap of an image that has every column. */
  readonly fullImage: Buffer;
  /** `INSERT INTO t (columns) VALUES ` */
  readonly insertHead: Buffer;
  readonly updateHead: Buffer;
  readonly deleteHead: Buffer;
  /** Positions of the columns that are written. */
  readonly stored: readonly number[];
  /** As the target calls them. */
  readonly #names: readonly string[];
  /** Of columns whose values may not fit on the target. */
  readonly #fits: readonly (ImageFit | undefined)[];
  /** Assignments that keep what the target alone has as it is. */
  readonly #kept: string;
  readonly #writers: readonly (ValueWriter | undefined)[];
  readonly #keyWriters: readonly ValueWriter[];
  /** Of the stored columns, where there is no key. */
  readonly #conditions: readonly ValueWriter[];

  /** @throws {SwitchyardError} `REPLICATION_TABLE_CHANGED` when shape and log disagree */
  constructor(shape: TableShape, map: TableMap, carried: CarriedTable = alike(shape)) {
    checkLayout(shape, map);
    this.shape = shape;
    this.map = map;
    this.kinds = keyKinds(shape);
    const key = rowKey(shape);
    this.key = key?.columns ?? [];
    const others = shape.uniqueKeys.some(({ name }) => name !== key?.name);
    this.rowsByKeyBytes = !others && this.kinds?.every(isByteExact) === true;
    this.fullImage = Buffer.alloc((map.columns.length + 7) >> 3, 0xff);
    const across = new Map(carried.columns.map((column) => [column.from, column]));
    const targets = shape.columns.map((_, i) => across.get(i));
    this.stored = shape.columns.flatMap((column, i) => (column.generated || targets[i] === undefined ? [] : [i]));
    this.#names = targets.map((target) => quoteId(carried.to.columns[target?.to ?? -1]?.name ?? ""));
    this.#writers = shape.columns.map((column, i) => {
      const to = carried.to.columns[targets[i]?.to ?? -1];
      return column.generated || to === undefined
        ? undefined
        : valueWriter(asWritten(column, to), map.columns[i] as ColumnType, "store");
    });
    this.#fits = shape.columns.map((column, i) => {
      const to = targets[i]?.narrows === true ? carried.to.columns[targets[i].to] : undefined;
      return to === undefined ? undefined : fitOf(column, to, map.columns[i] as ColumnType);
    });
    this.#kept = keptColumns(carried)
      .map(({ name }) => `,${quoteId(name)}=${quoteId(name)}`)
      .join("");
    this.#keyWriters = this.key.map((position) =>
      valueWriter(shape.columns[position] as ColumnShape, map.columns[position] as ColumnType, "compare"),
    );
    this.#conditions = this.keyless
      ? this.stored.map((i) =>
          exactCondition(shape.columns[i] as ColumnShape, this.#names[i] as string, map.columns[i] as ColumnType),
        )
      : [];
    const table = quoteTable(shape.name);
    const names = this.stored.map((i) => this.#names[i]).join(", ");
    this.insertHead = Buffer.from(`INSERT INTO ${table} (${names}) VALUES `, "utf8");
    this.updateHead = Buffer.from(`UPDATE ${table} SET `, "utf8");
    this.deleteHead = Buffer.from(`DELETE FROM ${table} WHERE `, "utf8");
  }

  /** The same row may be there several times: a statement that changes one of them must say so. */
  get keyless(): boolean {
    return this.key.length === 0;
  }

  /** The key of an image; only where {@link kinds} are known. */
  keyOf(image: RowImage): Key {
    const kinds = this.kinds ?? [];
    return this.key.map((position, i) => {
      const start = this.#start(image, position);
      const type = this.map.columns[position] as ColumnType;
      const unsigned = this.shape.columns[position]?.unsigned ?? false;
      const text = hasValueText(type)
        ? valueText(type, unsigned, image.buffer, start)
        : image.buffer.toString("latin1", start, image.ends[position]);
      return parseKeyPart(kinds[i] as KeyKind, text);
    });
  }

  /** `(v1, v2, …)` for {@link insertHead}. */
  writeValues(out: SqlWriter, image: RowImage): void {
    let separator = "(";
    for (const position of this.stored) {
      out.ascii(separator);
      separator = ",";
      this.#writeFitting(out, image, position);
    }
    out.ascii(")");
  }

  /** `a=1,b=2` for {@link updateHead}. */
  writeAssignments(out: SqlWriter, image: RowImage): void {
    let separator = "";
    for (const position of this.stored) {
      out
        .ascii(separator)
        .utf8(this.#names[position] as string)
        .ascii("=");
      separator = ",";
      this.#writeFitting(out, image, position);
    }
    out.utf8(this.#kept);
  }

  /** `(k1=1 AND k2=2)`: the row, by its key alone; without a key by all of its values, and then one of perhaps several. */
  writeCondition(out: SqlWriter, image: RowImage): void {
    if (this.keyless) {
      this.#writeExactly(out, image);
      return;
    }
    let separator = "(";
    for (const [i, position] of this.key.entries()) {
      out
        .ascii(separator)
        .utf8(this.#names[position] as string)
        .ascii("=");
      separator = " AND ";
      this.#write(out, image, position, this.#keyWriters[i]);
    }
    out.ascii(")");
  }

  #writeExactly(out: SqlWriter, image: RowImage): void {
    let separator = "(";
    for (const [i, position] of this.stored.entries()) {
      out.ascii(separator);
      separator = " AND ";
      if (image.starts[position] === VALUE_NULL) out.utf8(`${this.#names[position]} IS NULL`);
      else this.#write(out, image, position, this.#conditions[i]);
    }
    out.ascii(") LIMIT 1");
  }

  #writeFitting(out: SqlWriter, image: RowImage, position: number): void {
    const fits = this.#fits[position];
    const start = image.starts[position] as number;
    if (fits !== undefined && start === VALUE_NULL && !fits.null) throw this.#tooWide(image, position);
    // Whatever else is negative is no value, and is told of below.
    if (fits !== undefined && start >= 0 && !fits(image.buffer, start, image.ends[position] as number)) {
      throw this.#tooWide(image, position);
    }
    this.#write(out, image, position, this.#writers[position]);
  }

  #write(out: SqlWriter, image: RowImage, position: number, writer: ValueWriter | undefined): void {
    if (image.starts[position] === VALUE_NULL) {
      out.ascii("NULL");
      return;
    }
    const start = this.#start(image, position);
    if (writer !== undefined) writer(out, image.buffer, start, image.ends[position] as number);
  }

  #tooWide(image: RowImage, position: number): SwitchyardError {
    const row = new SqlWriter(1024);
    this.writeCondition(row, image);
    const name = this.shape.columns[position]?.name;
    return new SwitchyardError("REPLICATION_VALUE_TOO_WIDE", {
      what: `a row of ${tableKey(this.shape.name)} has a value in ${name} that does not fit where the row goes`,
      details: [
        `row     ${row.take().toString("utf8", 0, SHOWN_KEY_BYTES_MAX)}`,
        `column  ${name} there is ${this.#names[position]}`,
      ],
      changed: "The stream stopped before this row; nothing of its transaction was kept.",
      fix: "Widen that column on the server that the stream writes to, as it is on the other one, then resume the migration; or complete it, which gives up the way back.",
    });
  }

  #start(image: RowImage, position: number): number {
    const start = image.starts[position] as number;
    if (start === VALUE_ABSENT) {
      throw new SwitchyardError("REPLICATION_ROW_IMAGE_PARTIAL", {
        what: `a change of ${tableKey(this.shape.name)} was logged without column ${this.shape.columns[position]?.name}`,
        changed: "The stream stopped before this row; nothing of its transaction was kept.",
        fix: "Set binlog_row_image=FULL on the source, also for sessions that set it themselves, then copy the table anew.",
      });
    }
    return start;
  }
}

/** Labels are told by number, and what numbers a server takes for text depends on the labels where they are stored. */
function asWritten(column: ColumnShape, to: ColumnShape): ColumnShape {
  return column.dataType === "enum" ? { ...column, columnType: to.columnType } : column;
}

function checkLayout(shape: TableShape, map: TableMap): void {
  if (shape.columns.length !== map.columns.length) {
    throw changed(shape, `${map.columns.length} columns in the log, ${shape.columns.length} known`);
  }
  for (const [i, column] of shape.columns.entries()) {
    const type = map.columns[i] as ColumnType;
    if (!wireTypes(column).includes(type.type)) {
      throw changed(shape, `column ${column.name} is ${column.columnType} and came as type ${type.type}`);
    }
    const unsigned = map.unsigned?.[i];
    if (unsigned !== undefined && column.dataType !== "year" && unsigned !== column.unsigned) {
      throw changed(shape, `column ${column.name} is ${column.columnType} and came ${unsigned ? "un" : ""}signed`);
    }
    const name = map.names?.[i];
    if (name !== undefined && name !== column.name) throw changed(shape, `column ${column.name} came as ${name}`);
  }
}

function wireTypes(column: ColumnShape): readonly number[] {
  return WIRE_TYPES[column.dataType] ?? (BLOBS.test(column.dataType) ? BLOB_TYPES : GEOMETRY_TYPES);
}

function changed(shape: TableShape, how: string): SwitchyardError {
  return new SwitchyardError("REPLICATION_TABLE_CHANGED", {
    what: `the definition of ${tableKey(shape.name)} is not the one that was copied`,
    details: [how],
    changed: "The stream stopped before the first row with another definition.",
    fix: "Undo the change on the source, or cancel the migration and create it again.",
  });
}
