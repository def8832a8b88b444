import { decodeGtidSet, encodeGtidSet } from "./gtid-codec.ts";
import { formatGtidSet, parseGtidSet } from "./gtid-text.ts";
import {
  containsIntervals,
  findInterval,
  type Intervals,
  insertInto,
  intersectIntervals,
  subtractIntervals,
  unionIntervals,
} from "./intervals.ts";

/** One transaction's identity. `tag` is empty for the untagged form. */
export interface Gtid {
  /** Lower case, with dashes. */
  readonly uuid: string;
  readonly tag: string;
  readonly gno: number;
}

/** `uuid:5` or `uuid:tag:5`. */
export function formatGtid(gtid: Gtid): string {
  return `${sourceKey(gtid.uuid, gtid.tag)}:${gtid.gno}`;
}

/**
 * A set of transactions, as MySQL writes it: `3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:9`, tags included
 * (`3e11fa47-…:1-5:nightly:1-2`).
 *
 * A `GtidSet` is a value. Operations return a new set and never change the old one, so a set saved as a
 * checkpoint cannot drift from what was saved. {@link GtidSetBuilder} is for loops that add one by one.
 *
 * Intervals are kept sorted and apart: `1-3:4-6` is held as `1-6`. The text form is therefore canonical, and
 * two sets are equal exactly when their texts are.
 *
 * MySQL counts differently in its two forms: text includes the last number (`1-5` has 5 in it), binary stops
 * before it. Only the codec knows the second form. Transaction numbers above 2^53 are refused, not rounded.
 */
export class GtidSet {
  static readonly empty = new GtidSet(new Map());

  readonly #sources: ReadonlyMap<string, Intervals>;

  private constructor(sources: ReadonlyMap<string, Intervals>) {
    this.#sources = sources;
  }

  /** Takes ownership of the map, which must hold normalized, non-empty intervals under `uuid` or `uuid:tag`. */
  static fromSources(sources: ReadonlyMap<string, Intervals>): GtidSet {
    return sources.size === 0 ? GtidSet.empty : new GtidSet(sources);
  }

  /** Reads the text form; white space and line ends around the parts are allowed. @throws `GTID_SET_INVALID` */
  static parse(text: string): GtidSet {
    return GtidSet.fromSources(parseGtidSet(text));
  }

  /** Reads the form of PREVIOUS_GTIDS events and of COM_BINLOG_DUMP_GTID. @throws `GTID_SET_INVALID` */
  static decodeBinary(bytes: Buffer): GtidSet {
    return GtidSet.fromSources(decodeGtidSet(bytes));
  }

  static of(...gtids: readonly Gtid[]): GtidSet {
    const builder = new GtidSetBuilder();
    for (const gtid of gtids) builder.add(gtid.uuid, gtid.tag, gtid.gno);
    return builder.build();
  }

  /** Intervals by source: `uuid`, or `uuid:tag`. */
  get sources(): ReadonlyMap<string, Intervals> {
    return this.#sources;
  }

  get isEmpty(): boolean {
    return this.#sources.size === 0;
  }

  /** How many transactions the set holds. */
  get count(): number {
    let total = 0;
    for (const intervals of this.#sources.values()) {
      for (let i = 0; i < intervals.length; i += 2) {
        total += (intervals[i + 1] as number) - (intervals[i] as number) + 1;
      }
    }
    return total;
  }

  union(other: GtidSet): GtidSet {
    if (other.isEmpty) return this;
    if (this.isEmpty) return other;
    const sources = new Map(this.#sources);
    for (const [key, intervals] of other.#sources) {
      const mine = sources.get(key);
      sources.set(key, mine === undefined ? intervals : unionIntervals(mine, intervals));
    }
    return new GtidSet(sources);
  }

  subtract(other: GtidSet): GtidSet {
    return this.#combine(other, subtractIntervals, true);
  }

  intersect(other: GtidSet): GtidSet {
    return this.#combine(other, intersectIntervals, false);
  }

  /** Whether every transaction of `other` is in this set. */
  contains(other: GtidSet): boolean {
    for (const [key, intervals] of other.#sources) {
      const mine = this.#sources.get(key);
      if (mine === undefined || !containsIntervals(mine, intervals)) return false;
    }
    return true;
  }

  containsGtid(uuid: string, tag: string, gno: number): boolean {
    const intervals = this.#sources.get(sourceKey(uuid, tag));
    return intervals !== undefined && findInterval(intervals, gno) >= 0;
  }

  has(gtid: Gtid): boolean {
    return this.containsGtid(gtid.uuid, gtid.tag, gtid.gno);
  }

  add(uuid: string, tag: string, gno: number): GtidSet {
    const builder = new GtidSetBuilder(this);
    builder.add(uuid, tag, gno);
    return builder.build();
  }

  equals(other: GtidSet): boolean {
    return this.contains(other) && other.contains(this);
  }

  /** Canonical text: sources in order, the untagged form of a UUID first. */
  toString(): string {
    return formatGtidSet(this.#sources);
  }

  toJSON(): string {
    return this.toString();
  }

  /** The form of COM_BINLOG_DUMP_GTID: the classic one, or with any tag in the set the tagged one. */
  encodeBinary(): Buffer {
    return encodeGtidSet(this.#sources);
  }

  #combine(other: GtidSet, combine: (a: Intervals, b: Intervals) => number[], keepUnmatched: boolean): GtidSet {
    const sources = new Map<string, Intervals>();
    for (const [key, intervals] of this.#sources) {
      const theirs = other.#sources.get(key);
      if (theirs === undefined) {
        if (keepUnmatched) sources.set(key, intervals);
        continue;
      }
      const combined = combine(intervals, theirs);
      if (combined.length > 0) sources.set(key, combined);
    }
    return GtidSet.fromSources(sources);
  }
}

/**
 * A growing set for hot loops: adding the next number of a source costs no allocation.
 * {@link build} gives an independent {@link GtidSet}; the builder may go on.
 */
export class GtidSetBuilder {
  readonly #sources = new Map<string, number[]>();

  constructor(start: GtidSet = GtidSet.empty) {
    this.addSet(start);
  }

  add(uuid: string, tag: string, gno: number): void {
    const key = sourceKey(uuid, tag);
    const intervals = this.#sources.get(key);
    if (intervals === undefined) this.#sources.set(key, [gno, gno]);
    else insertInto(intervals, gno);
  }

  addSet(set: GtidSet): void {
    for (const [key, intervals] of set.sources) {
      const mine = this.#sources.get(key);
      this.#sources.set(key, mine === undefined ? [...intervals] : unionIntervals(mine, intervals));
    }
  }

  has(uuid: string, tag: string, gno: number): boolean {
    const intervals = this.#sources.get(sourceKey(uuid, tag));
    return intervals !== undefined && findInterval(intervals, gno) >= 0;
  }

  build(): GtidSet {
    const sources = new Map<string, Intervals>();
    for (const [key, intervals] of this.#sources) sources.set(key, [...intervals]);
    return GtidSet.fromSources(sources);
  }
}

function sourceKey(uuid: string, tag: string): string {
  return tag === "" ? uuid : `${uuid}:${tag}`;
}
