import { rowKeyColumns } from "./row-key.ts";
import type { ColumnShape, TableShape } from "./table-shape.ts";

/**
 * A column's value inside a key, in a form that compares as the server compares it: numbers and scaled decimals as
 * `number` or `bigint` (mixing both is exact), times as microseconds, dates and years as their text, strings as one character
 * per byte.
 */
export type KeyPart = number | bigint | string;

/** All columns of a key, in key order. A shorter one stands for every key that begins with it. */
export type Key = readonly KeyPart[];

/** How one column of a key is read, compared and written. */
export type KeyKind =
  | { readonly kind: "integer" }
  | { readonly kind: "decimal"; readonly scale: number }
  | { readonly kind: "date" }
  | { readonly kind: "time"; readonly digits: number }
  | {
      readonly kind: "bytes";
      /** Shorter values compare as if filled up with spaces. */
      readonly padded: boolean;
      /** Fixed length that values are filled up to with zero bytes, as BINARY is; 0 for others. */
      readonly fill: number;
      readonly charset: string;
    };

const INTEGERS: ReadonlySet<string> = new Set(["tinyint", "smallint", "mediumint", "int", "bigint"]);
const DATES: ReadonlySet<string> = new Set(["date", "datetime", "timestamp", "year"]);
const STRINGS: ReadonlySet<string> = new Set(["char", "varchar", "binary", "varbinary"]);

/** Collations that order by bytes. All but two of them compare with trailing spaces ignored. */
const BYTE_COLLATIONS: ReadonlySet<string> = new Set([
  "binary",
  "utf8mb4_0900_bin",
  "utf8mb4_bin",
  "utf8mb3_bin",
  "utf8_bin",
  "latin1_bin",
  "latin2_bin",
  "ascii_bin",
  "cp1250_bin",
  "cp1251_bin",
  "cp1252_bin",
]);

/**
 * How the key of the rows compares; `undefined` where there is none, or its order is not ours to compute (collations with
 * weights, floating point, ENUM, SET, BIT, generated columns): such a table is copied as one piece.
 */
export function keyKinds(shape: TableShape): readonly KeyKind[] | undefined {
  const positions = rowKeyColumns(shape);
  if (positions.length === 0) return undefined;
  const kinds: KeyKind[] = [];
  for (const position of positions) {
    const column = shape.columns[position];
    const kind = column === undefined ? undefined : kindOf(column);
    if (kind === undefined) return undefined;
    kinds.push(kind);
  }
  return kinds;
}

function kindOf(column: ColumnShape): KeyKind | undefined {
  if (column.generated) return undefined;
  if (INTEGERS.has(column.dataType)) return { kind: "integer" };
  if (column.dataType === "decimal") return { kind: "decimal", scale: column.scale };
  if (DATES.has(column.dataType)) return { kind: "date" };
  if (column.dataType === "time") return { kind: "time", digits: column.scale };
  const collation = column.collation ?? "";
  if (!STRINGS.has(column.dataType) || !BYTE_COLLATIONS.has(collation)) return undefined;
  return {
    kind: "bytes",
    padded: collation !== "binary" && collation !== "utf8mb4_0900_bin",
    fill: column.dataType === "binary" ? column.octets : 0,
    charset: column.charset ?? "binary",
  };
}

/**
 * Whether two values that a server has stored in such a column are equal exactly if their bytes are. Values that
 * differ in trailing spaces alone can be equal, and so can two zeros of a DECIMAL.
 */
export function isByteExact(kind: KeyKind): boolean {
  return kind.kind !== "decimal" && !(kind.kind === "bytes" && kind.padded);
}

/** Reads a value as the server shows it (time zone +00:00), from the bytes of a text row or a row image. */
export function parseKeyPart(kind: KeyKind, text: string): KeyPart {
  switch (kind.kind) {
    case "integer":
      return text.length < 16 ? Number(text) : shrink(BigInt(text));
    case "decimal":
      return shrink(BigInt(text.replace(".", "")));
    case "date":
      return text;
    case "time":
      return microseconds(text);
    case "bytes":
      return kind.fill > text.length ? text.padEnd(kind.fill, "\0") : text;
  }
}

/** Writes a part as the server would show it; the inverse of {@link parseKeyPart}. */
export function keyPartText(kind: KeyKind, part: KeyPart): string {
  switch (kind.kind) {
    case "decimal": {
      const text = String(part)
        .replace("-", "")
        .padStart(kind.scale + 1, "0");
      const sign = String(part).startsWith("-") ? "-" : "";
      const whole = text.slice(0, text.length - kind.scale);
      return kind.scale === 0 ? sign + whole : `${sign}${whole}.${text.slice(text.length - kind.scale)}`;
    }
    case "time":
      return timeOf(Number(part), kind.digits);
    default:
      return String(part);
  }
}

/**
 * The server's order of two keys: negative, 0 or positive. Where one is shorter only the parts of both count, so that
 * a shorter one equals every key that begins with it.
 */
export function compareKeys(kinds: readonly KeyKind[], a: Key, b: Key): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const order = compareParts(kinds[i] as KeyKind, a[i] as KeyPart, b[i] as KeyPart);
    if (order !== 0) return order;
  }
  return 0;
}

function compareParts(kind: KeyKind, a: KeyPart, b: KeyPart): number {
  if (kind.kind === "bytes" && kind.padded) return comparePadded(String(a), String(b));
  return a < b ? -1 : a > b ? 1 : 0;
}

/** As if the shorter were filled up with spaces: a control character sorts before the end of a string. */
function comparePadded(a: string, b: string): number {
  const common = Math.min(a.length, b.length);
  const headA = a.slice(0, common);
  const headB = b.slice(0, common);
  if (headA !== headB) return headA < headB ? -1 : 1;
  const [rest, sign] = a.length > b.length ? [a.slice(common), 1] : [b.slice(common), -1];
  for (let i = 0; i < rest.length; i++) {
    const code = rest.charCodeAt(i);
    if (code !== 0x20) return code > 0x20 ? sign : -sign;
  }
  return 0;
}

function shrink(value: bigint): number | bigint {
  const small = Number(value);
  return Number.isSafeInteger(small) ? small : value;
}

function microseconds(text: string): number {
  const match = /^(-?)(\d+):(\d\d):(\d\d)(?:\.(\d{1,6}))?$/.exec(text);
  if (match === null) return 0;
  const seconds = (Number(match[2]) * 60 + Number(match[3])) * 60 + Number(match[4]);
  const value = seconds * 1_000_000 + Number((match[5] ?? "").padEnd(6, "0"));
  return match[1] === "-" ? -value : value;
}

function timeOf(value: number, digits: number): string {
  const micros = Math.abs(value);
  const seconds = Math.floor(micros / 1_000_000);
  const two = (part: number): string => String(part).padStart(2, "0");
  const fraction =
    digits === 0
      ? ""
      : `.${String(micros % 1_000_000)
          .padStart(6, "0")
          .slice(0, digits)}`;
  const clock = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return `${value < 0 ? "-" : ""}${clock}${fraction}`;
}
