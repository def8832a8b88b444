import { enumLabels } from "./enum-labels.ts";
import type { ColumnShape } from "./table-shape.ts";
import { decimalDigits, integerRange, lengthOf } from "./widening.ts";

/** Whether a value, given as the text that a server shows (ENUM and SET by number) or as its bytes, fits. */
export type FitTest = (bytes: Buffer) => boolean;

const fitsAlways: FitTest = () => true;
const COUNTED_AS_UTF8: ReadonlySet<string> = new Set(["utf8mb4", "utf8mb3"]);
const ONE_BYTE: ReadonlySet<string> = new Set([
  "binary",
  "ascii",
  "latin1",
  "latin2",
  "latin5",
  "latin7",
  "cp1250",
  "cp1251",
  "cp1252",
]);

/**
 * Tells the values of a column that a narrower one takes bit by bit from those that it would refuse, round or cut. Of
 * characters in sets that are not counted here only the bytes are looked at; the server has the last word on these.
 */
export function fitTest(from: ColumnShape, to: ColumnShape): FitTest {
  const range = integerRange(to);
  if (range !== undefined) return (bytes) => within(BigInt(bytes.toString("latin1")), range);
  switch (to.dataType) {
    case "decimal":
      return decimalFits(to);
    case "float":
      return from.dataType === "float" ? fitsAlways : (bytes) => isFloat(Number(bytes.toString("latin1")));
    case "time":
    case "datetime":
    case "timestamp":
      return (bytes) => /^0*$/.test((bytes.toString("latin1").split(".")[1] ?? "").slice(to.scale));
    case "enum": {
      const count = enumLabels(to.columnType).length;
      return (bytes) => Number(bytes.toString("latin1")) <= count;
    }
    case "set": {
      const beyond = 1n << BigInt(enumLabels(to.columnType).length);
      return (bytes) => BigInt(bytes.toString("latin1")) < beyond;
    }
    default:
      return to.octets === 0 ? fitsAlways : stringFits(to);
  }
}

function within(value: bigint, { least, most }: { readonly least: bigint; readonly most: bigint }): boolean {
  return value >= least && value <= most;
}

function isFloat(value: number): boolean {
  return Math.fround(value) === value;
}

function decimalFits(to: ColumnShape): FitTest {
  const { before, after } = decimalDigits(to) ?? { before: 0, after: 0 };
  return (bytes) => {
    const text = bytes.toString("latin1");
    const [whole = "", fraction = ""] = text.replace(/^-/, "").split(".");
    if (whole.replace(/^0+/, "").length > before || !/^0*$/.test(fraction.slice(after))) return false;
    return !to.unsigned || !text.startsWith("-");
  };
}

function stringFits(to: ColumnShape): FitTest {
  const charset = to.charset ?? "binary";
  const length = lengthOf(to);
  return (bytes) => {
    if (bytes.length > to.octets) return false;
    if (charset === "utf8mb3" && bytes.some((byte) => byte >= 0xf0)) return false;
    if (length === undefined) return true;
    if (ONE_BYTE.has(charset)) return bytes.length <= length;
    return !COUNTED_AS_UTF8.has(charset) || bytes.length <= length || characters(bytes) <= length;
  };
}

/** Bytes that begin a character. */
function characters(bytes: Buffer): number {
  let count = 0;
  for (const byte of bytes) if ((byte & 0xc0) !== 0x80) count += 1;
  return count;
}
