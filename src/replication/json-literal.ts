import { SwitchyardError } from "../base/errors.ts";
import { COLUMN } from "../binlog/column-type.ts";
import { hasOpaque, type JsonNode, jsonText, opaqueDecimal, opaqueTemporal, readJson } from "../binlog/json-value.ts";

/**
 * A JSON value of a row image as an SQL expression that stores the same value with the same types.
 *
 * Plain JSON travels as its text. Values of SQL types inside it, which text would turn into numbers and strings, are
 * rebuilt with functions; those that no expression makes (binary strings, bits, geometries) are refused.
 */
export function jsonLiteral(buffer: Buffer, start: number, end: number): string {
  const node = readJson(buffer, start, end);
  return hasOpaque(node) ? expression(node) : textLiteral(jsonText(node));
}

function textLiteral(text: string): string {
  return `_utf8mb4 0x${Buffer.from(text, "utf8").toString("hex")}`;
}

function expression(node: JsonNode): string {
  if (!hasOpaque(node)) return `CAST(${textLiteral(jsonText(node))} AS JSON)`;
  switch (node.kind) {
    case "object":
      return `JSON_OBJECT(${node.members.map(([key, value]) => `${keyLiteral(key)}, ${expression(value)}`).join(", ")})`;
    case "array":
      return `JSON_ARRAY(${node.elements.map(expression).join(", ")})`;
    case "opaque":
      return `CAST(${opaque(node.type, node.data)} AS JSON)`;
    default:
      return `CAST(${textLiteral(jsonText(node))} AS JSON)`;
  }
}

function keyLiteral(key: string): string {
  return key === "" ? "''" : textLiteral(key);
}

function opaque(type: number, data: Buffer): string {
  if (type === COLUMN.NEWDECIMAL) {
    const { text, precision, scale } = opaqueDecimal(data);
    return `CAST('${text}' AS DECIMAL(${precision},${scale}))`;
  }
  const temporal = opaqueTemporal(type, data);
  if (temporal === undefined) {
    throw new SwitchyardError("REPLICATION_VALUE_UNSUPPORTED", {
      what: `a JSON document holds a value of SQL type ${type}, which no expression can write`,
      changed: "The stream stopped before this row; nothing of its transaction was kept.",
      fix: "Store the value as a JSON string (for example base64 text), then resume.",
    });
  }
  const sqlType = type === COLUMN.DATE ? "DATE" : type === COLUMN.TIME ? "TIME(6)" : "DATETIME(6)";
  return `CAST('${temporal}' AS ${sqlType})`;
}
