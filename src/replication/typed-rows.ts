import { SwitchyardError } from "../base/errors.ts";
import { quoteId } from "../base/table-name.ts";
import type { Connection } from "../mysql/connection.ts";
import type { TextRow } from "../wire/text-row.ts";
import { typedJsonLiteral } from "./json-typed-text.ts";
import type { LoadColumns } from "./load-columns.ts";
import type { RowsAside } from "./load-encoder.ts";
import { SqlWriter } from "./sql-writer.ts";

/** An INSERT and how many rows it must write. */
export interface RowsInsert {
  readonly sql: Buffer;
  readonly rows: number;
}

/** An INSERT is ended when it has grown to this size. */
const STATEMENT_BYTES = 512 * 1024;

/**
 * Spells rows of the text protocol as INSERTs, for those with JSON documents whose types only expressions can say
 * (`jsonTypesExpression`). All other values go into the statement as the bytes that a load would have read.
 */
export class TypedRows implements RowsAside {
  readonly columns: readonly number[];
  readonly #load: LoadColumns;
  readonly #table: string;
  readonly #head: string;
  readonly #out = new SqlWriter(1024);
  #statements: RowsInsert[] = [];
  #rows = 0;
  #openRows = 0;

  constructor(quotedTable: string, load: LoadColumns) {
    this.columns = load.types;
    this.#load = load;
    this.#table = quotedTable;
    this.#head = `INSERT INTO ${quotedTable} (${load.names.join(", ")}) VALUES `;
  }

  /** Rows added since the last {@link take}. */
  get rows(): number {
    return this.#rows;
  }

  /** Bytes of the statements so far. */
  get bytes(): number {
    return this.#statements.reduce((sum, { sql }) => sum + sql.length, this.#out.length);
  }

  /** @throws {SwitchyardError} `REPLICATION_VALUE_UNSUPPORTED` */
  add(row: TextRow): void {
    const out = this.#out;
    if (this.#openRows === 0) out.utf8(this.#head);
    else out.ascii(",");
    for (const i of this.#load.names.keys()) {
      out.ascii(i === 0 ? "(" : ",");
      this.#value(row, i);
    }
    out.ascii(")");
    this.#rows += 1;
    this.#openRows += 1;
    if (out.length >= STATEMENT_BYTES) this.#close();
  }

  /**
   * Adds a statement that gives the row of `condition` these values and leaves it those of the columns `kept`.
   *
   * @throws {SwitchyardError} `REPLICATION_VALUE_UNSUPPORTED`
   */
  update(row: TextRow, kept: readonly { readonly name: string }[], condition: string): void {
    const out = this.#out.utf8(`UPDATE ${this.#table} SET `);
    for (const [i, name] of this.#load.names.entries()) {
      out.utf8(`${i === 0 ? "" : ","}${name}=`);
      this.#value(row, i);
    }
    for (const { name } of kept) out.utf8(`,${quoteId(name)}=${quoteId(name)}`);
    out.utf8(` WHERE ${condition}`);
    this.#openRows += 1;
    this.#close();
  }

  /** The statements for all rows since the last call. */
  take(): readonly RowsInsert[] {
    this.#close();
    const statements = this.#statements;
    this.#statements = [];
    this.#rows = 0;
    return statements;
  }

  #close(): void {
    if (this.#openRows === 0) return;
    this.#statements.push({ sql: this.#out.take(), rows: this.#openRows });
    this.#openRows = 0;
  }

  #value(row: TextRow, i: number): void {
    const out = this.#out;
    const [before, behind] = this.#load.around[i] ?? ["", ""];
    const bytes = row.field(i);
    const types = this.#typesOf(row, i);
    if (bytes === null) out.ascii("NULL");
    else if (types !== null) out.ascii(typedJsonLiteral(bytes.toString("utf8"), types));
    else if (bytes.length === 0) out.ascii(before).ascii("_binary ''").ascii(behind);
    else out.ascii(before).ascii("_binary 0x").hex(bytes, 0, bytes.length).ascii(behind);
  }

  #typesOf(row: TextRow, column: number): string | null {
    const field = this.columns.indexOf(column);
    return field < 0 ? null : row.text(this.#load.around.length + field);
  }
}

/**
 * Runs the INSERTs, inside of a transaction; resolves to how many rows they have written, and how many warnings they gave.
 *
 * @param packetBytesMax the target's `max_allowed_packet`
 *
 * @throws {SwitchyardError} `REPLICATION_ROW_TOO_LARGE`
 */
export async function insertRows(
  writer: Connection,
  table: string,
  statements: readonly RowsInsert[],
  packetBytesMax: number,
): Promise<{ readonly affectedRows: number; readonly warnings: number }> {
  let affectedRows = 0;
  let warnings = 0;
  for (const { sql } of statements) {
    if (sql.length + 16 > packetBytesMax) throw tooLarge(table, sql.length, packetBytesMax);
    const result = await writer.query(sql);
    affectedRows += result.affectedRows;
    warnings += result.warnings;
    if (warnings > 0) break;
  }
  return { affectedRows, warnings };
}

function tooLarge(table: string, bytes: number, max: number): SwitchyardError {
  return new SwitchyardError("REPLICATION_ROW_TOO_LARGE", {
    what: `a row of ${table} with a JSON document of SQL types takes ${bytes} bytes as a statement`,
    details: [`the target allows ${max} (max_allowed_packet)`],
    changed: "Nothing of its chunk was kept.",
    fix: "Raise max_allowed_packet on the target, to twice the largest row and more, then resume.",
  });
}
