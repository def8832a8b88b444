import type { SqlModes } from "./statement.ts";

/** Which quotes and backslashes can be trusted in texts of a character set. */
export type CharsetClass = NonNullable<SqlModes["charset"]>;

/** Character sets whose second bytes may be a backslash or a quote of names, and the numbers of their collations. */
const UNSAFE: ReadonlyMap<string, readonly number[]> = new Map([
  ["big5", [1, 84]],
  ["sjis", [13, 88]],
  ["gbk", [28, 87]],
  ["cp932", [95, 96]],
  ["gb18030", [248, 249, 250]],
]);

const UNSAFE_COLLATIONS: ReadonlySet<number> = new Set([...UNSAFE.values()].flat());

export function charsetClass(charset: string): CharsetClass {
  const name = charset.toLowerCase();
  if (name.startsWith("utf8") || name === "ascii") return "utf8";
  return UNSAFE.has(name) ? "unsafe" : "other";
}

/** As {@link charsetClass}, of the character set of the collation with this number; of ASCII it says `other`. */
export function collationClass(collation: number): CharsetClass {
  if (isUtf8(collation)) return "utf8";
  return UNSAFE_COLLATIONS.has(collation) ? "unsafe" : "other";
}

/** Numbers of collations of utf8mb3 and utf8mb4. */
function isUtf8(collation: number): boolean {
  const within = (from: number, to: number): boolean => collation >= from && collation <= to;
  return [33, 45, 46, 76, 83].includes(collation) || within(192, 247) || within(255, 323);
}
