import { quoteId } from "../base/table-name.ts";
import { type Key, type KeyKind, type KeyPart, keyPartText } from "../table/key-order.ts";
import type { KeyRange } from "../table/key-ranges.ts";
import { COMPARED_AS } from "./value-writer.ts";

/** A part of a key as a literal that compares by the column's own rules. */
export function keyLiteral(kind: KeyKind, part: KeyPart): string {
  const text = keyPartText(kind, part);
  switch (kind.kind) {
    case "integer":
    case "decimal":
      return text;
    case "date":
    case "time":
      return `'${text}'`;
    case "bytes":
      return text === ""
        ? "''"
        : `_${COMPARED_AS[kind.charset] ?? kind.charset} 0x${Buffer.from(text, "latin1").toString("hex")}`;
  }
}

/**
 * The condition that a row's key lies in `range`; empty for all keys. Spelled out instead of compared as rows,
 * because the server finds no range in `(a, b) > (1, 2)`.
 */
export function rangeCondition(columns: readonly string[], kinds: readonly KeyKind[], range: KeyRange): string {
  const conditions: string[] = [];
  if (range.after !== undefined) conditions.push(...beyond(columns, kinds, range.after, ">", ">"));
  if (range.through !== undefined) conditions.push(...beyond(columns, kinds, range.through, "<", "<="));
  return conditions.join(" AND ");
}

/** `a >= 1` for the index, and `(a > 1 OR (a = 1 AND (b > 2)))`; `last` compares the last part. */
function beyond(
  columns: readonly string[],
  kinds: readonly KeyKind[],
  bound: Key,
  strict: string,
  last: string,
): string[] {
  const terms = bound.map((part, i) => ({
    name: quoteId(columns[i] as string),
    literal: keyLiteral(kinds[i] as KeyKind, part),
  }));
  const final = terms.pop();
  if (final === undefined) return [];
  let condition = `${final.name} ${last} ${final.literal}`;
  for (const { name, literal } of terms.toReversed()) {
    condition = `(${name} ${strict} ${literal} OR (${name} = ${literal} AND ${condition}))`;
  }
  const first = terms[0];
  return first === undefined ? [condition] : [`${first.name} ${strict}= ${first.literal}`, condition];
}
