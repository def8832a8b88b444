import { SwitchyardError } from "../base/errors.ts";
import { beyond, TAG } from "./gtid-text.ts";
import { type Intervals, normalize, unionIntervals } from "./intervals.ts";

/**
 * The binary form. Classic: count (8 bytes), then per source its 16 byte UUID, a count of intervals (8 bytes) and
 * the intervals, each 8 + 8 bytes with the end excluded. Tagged: the top byte of the first field is 1 and its
 * bytes 1 to 6 are the count, and after each UUID follows the tag as a length and its characters.
 */
const TAGGED = 1n;

/** Intervals by source (`uuid` or `uuid:tag`) to the binary form; the tagged one only where there is a tag. */
export function encodeGtidSet(sources: ReadonlyMap<string, Intervals>): Buffer {
  const keys = [...sources.keys()].sort();
  const tagged = keys.some((key) => key.length > 36);
  const parts: Buffer[] = [];
  const head = Buffer.alloc(8);
  head.writeBigUInt64LE(tagged ? (TAGGED << 56n) | (BigInt(keys.length) << 8n) | TAGGED : BigInt(keys.length));
  parts.push(head);
  for (const key of keys) {
    const intervals = sources.get(key) ?? [];
    const tag = Buffer.from(key.slice(37), "latin1");
    parts.push(Buffer.from(key.slice(0, 36).replaceAll("-", ""), "hex"));
    if (tagged) parts.push(Buffer.from([tag.length << 1]), tag);
    const body = Buffer.alloc(8 + intervals.length * 8);
    body.writeBigUInt64LE(BigInt(intervals.length / 2));
    for (let i = 0; i < intervals.length; i += 2) {
      body.writeBigUInt64LE(BigInt(intervals[i] ?? 0), 8 + i * 8);
      body.writeBigUInt64LE(BigInt((intervals[i + 1] ?? 0) + 1), 16 + i * 8);
    }
    parts.push(body);
  }
  return Buffer.concat(parts);
}

/** The binary form to intervals by source. Counts are checked against the bytes that are there. @throws `GTID_SET_INVALID` */
export function decodeGtidSet(bytes: Buffer): Map<string, Intervals> {
  const sources = new Map<string, Intervals>();
  let offset = 0;
  const need = (count: number): number => {
    if (count > bytes.length - offset) throw invalid("it ends too early");
    offset += count;
    return offset - count;
  };
  const head = bytes.readBigUInt64LE(need(8));
  const tagged = head >> 56n === TAGGED;
  const sourceCount = tagged ? (head >> 8n) & 0xff_ffff_ffffn : head;
  for (let i = 0n; i < sourceCount; i++) {
    const at = need(16);
    let key = formatUuid(bytes, at);
    if (tagged) {
      const tagLength = (bytes[need(1)] ?? 0) >> 1;
      const tagAt = need(tagLength);
      const tag = bytes.toString("latin1", tagAt, tagAt + tagLength);
      if (tagLength > 0 && !TAG.test(tag)) throw invalid("a tag is none");
      if (tagLength > 0) key += `:${tag}`;
    }
    const intervalCount = bytes.readBigUInt64LE(need(8));
    if (intervalCount * 16n > BigInt(bytes.length - offset)) throw invalid("it ends too early");
    const pairs: [number, number][] = [];
    for (let j = 0n; j < intervalCount; j++) {
      pairs.push(checkPair(bytes.readBigUInt64LE(need(8)), bytes.readBigUInt64LE(need(8))));
    }
    if (pairs.length > 0) sources.set(key, unionIntervals(sources.get(key) ?? [], normalize(pairs)));
  }
  if (offset !== bytes.length) throw invalid("bytes are left over at its end");
  return sources;
}

/** 16 bytes at `offset` as a lower case UUID with dashes. */
export function formatUuid(bytes: Buffer, offset: number): string {
  const hex = bytes.toString("hex", offset, offset + 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

function checkPair(first: bigint, end: bigint): [number, number] {
  if (end > 1n << 53n && first >= 1n && end > first) throw beyond("a GTID set in binary form");
  if (first < 1n || end <= first) throw invalid("an interval is out of range");
  return [Number(first), Number(end) - 1];
}

function invalid(why: string): SwitchyardError {
  return new SwitchyardError("GTID_SET_INVALID", {
    what: `the binary GTID set cannot be read: ${why}`,
  });
}
