import { compareKeys, type Key, type KeyKind, type KeyPart, keyPartText, parseKeyPart } from "./key-order.ts";

/**
 * A run of keys: above `after` and not above `through`; `undefined` is without end on that side. Ranges that share a
 * bound touch without gap or overlap, so a list of them from end to end covers every key there can be.
 */
export interface KeyRange {
  readonly after: Key | undefined;
  readonly through: Key | undefined;
}

/** Where `key` lies: below the range (negative), in it (0), above it (positive). */
export function comparePosition(kinds: readonly KeyKind[], key: Key, range: KeyRange): number {
  if (range.after !== undefined && compareKeys(kinds, key, range.after) <= 0) return -1;
  if (range.through !== undefined && compareKeys(kinds, key, range.through) > 0) return 1;
  return 0;
}

/** A range with what is known of it. */
export interface Piece<T> extends KeyRange {
  readonly value: T;
}

/** Disjoint ranges of one table in key order, each with a value; finds the one that a key lies in. */
export class RangeMap<T> {
  readonly #kinds: readonly KeyKind[];
  readonly #pieces: readonly Piece<T>[];

  constructor(kinds: readonly KeyKind[], pieces: readonly Piece<T>[]) {
    this.#kinds = kinds;
    this.#pieces = [...pieces].sort((a, b) => compareStarts(kinds, a, b));
  }

  get pieces(): readonly Piece<T>[] {
    return this.#pieces;
  }

  find(key: Key): T | undefined {
    let low = 0;
    let high = this.#pieces.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const piece = this.#pieces[middle] as Piece<T>;
      const position = comparePosition(this.#kinds, key, piece);
      if (position === 0) return piece.value;
      if (position < 0) high = middle - 1;
      else low = middle + 1;
    }
    return undefined;
  }

  /** What no piece covers, in key order. */
  gaps(): KeyRange[] {
    const gaps: KeyRange[] = [];
    let after: Key | undefined;
    let open = true;
    for (const piece of this.#pieces) {
      const touches = sameBound(this.#kinds, after, piece.after);
      if (!touches) gaps.push({ after, through: piece.after });
      after = piece.through;
      if (after === undefined) open = false;
    }
    if (open) gaps.push({ after, through: undefined });
    return gaps;
  }
}

/** A bound as text for storage: each part as the server shows it, strings as hexadecimal. */
export function encodeBound(kinds: readonly KeyKind[], bound: Key | undefined): string | null {
  if (bound === undefined) return null;
  const parts = bound.map((part, i) => {
    const kind = kinds[i] as KeyKind;
    return kind.kind === "bytes" ? Buffer.from(String(part), "latin1").toString("hex") : keyPartText(kind, part);
  });
  return JSON.stringify(parts);
}

/** The inverse of {@link encodeBound}. */
export function decodeBound(kinds: readonly KeyKind[], text: string | null): Key | undefined {
  if (text === null) return undefined;
  const parts = JSON.parse(text) as string[];
  return parts.map((part, i): KeyPart => {
    const kind = kinds[i] as KeyKind;
    return parseKeyPart(kind, kind.kind === "bytes" ? Buffer.from(part, "hex").toString("latin1") : part);
  });
}

function compareStarts(kinds: readonly KeyKind[], a: KeyRange, b: KeyRange): number {
  if (a.after === undefined) return b.after === undefined ? 0 : -1;
  if (b.after === undefined) return 1;
  return compareKeys(kinds, a.after, b.after) || b.after.length - a.after.length;
}

function sameBound(kinds: readonly KeyKind[], a: Key | undefined, b: Key | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.length === b.length && compareKeys(kinds, a, b) === 0;
}
