import { COLUMN } from "../binlog/column-type.ts";
import { type JsonNode, jsonText, opaqueDecimal, opaqueTemporal, readJson } from "../binlog/json-value.ts";
import { SIGNED_FROM_TEXT_MAX } from "../table/json-types.ts";
import {
  binaryValue,
  decimalValue,
  integerValue,
  jsonDocument,
  type SqlJson,
  temporalValue,
} from "./json-expression.ts";

/**
 * A JSON value of a row image as an SQL expression that stores the same value with the same types: its text where that
 * says them all, and otherwise functions that make it again.
 *
 * @throws {SwitchyardError} `REPLICATION_VALUE_UNSUPPORTED` for a binary value of a type of which no expression is
 */
export function jsonLiteral(buffer: Buffer, start: number, end: number): string {
  return jsonDocument(sqlJson(readJson(buffer, start, end)));
}

function sqlJson(node: JsonNode): SqlJson {
  switch (node.kind) {
    case "object": {
      const members = node.members.map(([key, value]) => [key, sqlJson(value)] as const);
      return members.every(([, { kind }]) => kind === "text") ? text(node) : { kind: "object", members };
    }
    case "array": {
      const elements = node.elements.map(sqlJson);
      return elements.every(({ kind }) => kind === "text") ? text(node) : { kind: "array", elements };
    }
    case "opaque":
      return { kind: "value", sql: opaque(node.type, node.data) };
    case "scalar": {
      const unsigned = node.integer === "unsigned";
      if (node.integer === undefined || unsigned === Number(node.text) > SIGNED_FROM_TEXT_MAX) return text(node);
      return { kind: "value", sql: integerValue(node.text, unsigned) };
    }
    default:
      return text(node);
  }
}

function text(node: JsonNode): SqlJson {
  return { kind: "text", text: jsonText(node) };
}

function opaque(type: number, data: Buffer): string {
  if (type === COLUMN.NEWDECIMAL) return decimalValue(opaqueDecimal(data).text);
  const temporal = opaqueTemporal(type, data);
  return temporal === undefined ? binaryValue(type, data) : temporalValue(type, temporal);
}
