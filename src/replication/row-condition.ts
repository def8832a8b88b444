import { createHash } from "node:crypto";
import { COLUMN, type ColumnType } from "../binlog/column-type.ts";
import { valueText } from "../binlog/value-text.ts";
import { jsonTypesExpression } from "../table/json-types.ts";
import type { ColumnShape } from "../table/table-shape.ts";
import { jsonLiteral } from "./json-literal.ts";
import type { SqlWriter } from "./sql-writer.ts";
import { isPlain, type ValueWriter, valueWriter, WIDE_CHARSETS } from "./value-writer.ts";

/** Longer values are compared by length and digest: a statement holds them once, not twice. */
const SPELLED_BYTES_MAX = 1024;

/**
 * Writes the condition that a column has exactly the value of an image, NULL apart, for tables in which nothing but the
 * values tells rows apart. Equal is what has the same bits: not what a collation, or a number's type, holds for equal.
 *
 * Where it costs nothing the column itself is compared as well, so that an index of it is used. JSON is compared by its
 * text and by the types that this does not say.
 */
export function exactCondition(column: ColumnShape, name: string, type: ColumnType): ValueWriter {
  switch (type.type) {
    case COLUMN.FLOAT:
    case COLUMN.DOUBLE:
      return floatCondition(column, name, type);
    case COLUMN.ENUM:
    case COLUMN.SET:
    case COLUMN.BIT:
      return (out, buffer, start) => {
        out.utf8(`CAST(${name} AS UNSIGNED)=`).ascii(valueText(type, true, buffer, start));
      };
    case COLUMN.JSON:
      return (out, buffer, start, end) => {
        const value = `CAST(${jsonLiteral(buffer, start, end)} AS JSON)`;
        out
          .utf8(`CAST(CAST(${name} AS CHAR) AS BINARY)=`)
          .ascii(`CAST(CAST(${value} AS CHAR) AS BINARY) AND `)
          .utf8(jsonTypesExpression(name))
          // JSON_TABLE takes a column, and not every value that is spelled.
          .ascii(`<=>(SELECT ${jsonTypesExpression("given.j")} FROM (SELECT ${value} AS j) given)`);
      };
    case COLUMN.GEOMETRY:
    case COLUMN.VECTOR:
      return (out, buffer, start, end) => writeBytes(out, name, buffer, start, end);
    case COLUMN.STRING:
    case COLUMN.VARCHAR:
    case COLUMN.BLOB:
      return stringCondition(column, name, type);
    default: {
      const write = valueWriter(column, type, "compare");
      return (out, buffer, start, end) => {
        out.utf8(`${name}=`);
        write(out, buffer, start, end);
      };
    }
  }
}

/**
 * The two zeros are equal, and only their texts differ. Where the column itself were compared with one of them, the server
 * would put that one in the column's place in the second condition as well.
 */
function floatCondition(column: ColumnShape, name: string, type: ColumnType): ValueWriter {
  const write = valueWriter(column, type, "compare");
  return (out, buffer, start, end) => {
    const text = valueText(type, false, buffer, start);
    if (Number(text) === 0) {
      out.utf8(`ABS(${name})=0e0 AND CAST(${name} AS CHAR) ${text.startsWith("-") ? "" : "NOT "}LIKE '-%'`);
      return;
    }
    out.utf8(`${name}=`);
    write(out, buffer, start, end);
  };
}

function stringCondition(column: ColumnShape, name: string, type: ColumnType): ValueWriter {
  const isBytes = column.charset === "binary";
  const write = valueWriter(column, type, "compare");
  const asciiMeansText = !WIDE_CHARSETS.has(column.charset ?? "binary");
  return (out, buffer, start, end) => {
    const short = end - start <= SPELLED_BYTES_MAX;
    if (isBytes && short) {
      out.utf8(`${name}=`);
      write(out, buffer, start, end);
      return;
    }
    if (short && asciiMeansText && isPlain(buffer, start, end)) {
      out.utf8(`${name}=`);
      write(out, buffer, start, end);
      out.ascii(" AND ");
    }
    writeBytes(out, name, buffer, start, end);
  };
}

function writeBytes(out: SqlWriter, name: string, buffer: Buffer, start: number, end: number): void {
  const bytes = `CAST(${name} AS BINARY)`;
  if (start === end) out.utf8(`${bytes}=''`);
  else if (end - start <= SPELLED_BYTES_MAX) out.utf8(`${bytes}=0x`).hex(buffer, start, end);
  else {
    const digest = createHash("sha256").update(buffer.subarray(start, end)).digest("hex");
    out.utf8(`LENGTH(${name})=${end - start} AND SHA2(${bytes},256)='${digest}'`);
  }
}
