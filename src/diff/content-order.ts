import { assert } from "../base/assert.ts";

/**
 * A digest of all fields of a row, computed by the server: equal exactly for equal rows, NULL apart from the empty value.
 * Of digests, so that no row is too long for it.
 */
export function contentDigest(expressions: readonly string[]): string {
  const parts = expressions.map((field) => `COALESCE(SHA2(CAST(${field} AS BINARY), 256), '-')`);
  return `SHA2(CONCAT(${parts.join(", ")}), 256)`;
}

/** The condition that finds every row of a content, by its digest as it was read. */
export function contentCondition(expressions: readonly string[], digest: Buffer | undefined): string {
  const text = digest?.toString("latin1") ?? "";
  assert(/^[0-9a-f]{64}$/.test(text), "the digest of a row is one");
  return `${contentDigest(expressions)} = '${text}'`;
}
