import type { SqlModes, StatementKind } from "../sql/statement.ts";
import { TextShape } from "../sql/text-shape.ts";
import type { RuledJudgement } from "./judgement.ts";

const SHAPE_BYTES_MAX = 2048;
/** More are forgotten, all at once. */
const SCOPES_MAX = 1000;
/** A power of two. */
const CAME_LATELY = 16_384;
/** Spreads small numbers over all bits. */
const GOLDEN = 0x9e3779b1;

/** Of these, nothing that is known of the text depends on the value of a literal in it. */
const ON_ROWS: ReadonlySet<StatementKind> = new Set(["select", "insert", "replace", "update", "delete"]);

interface Kept {
  readonly shape: Uint8Array;
  readonly scope: number;
  readonly judgement: RuledJudgement;
}

/**
 * Judgements by the shape of a text, so that statements that differ only in the values of literals are judged once. For
 * each hash one shape is kept: whoever makes others of the same hash has only himself to wait for.
 *
 * A shape is kept once it has come twice, in two halves: when the younger is full, the older is dropped.
 */
export class ShapeCache {
  readonly #shapesMax: number;
  readonly #shape = new TextShape(SHAPE_BYTES_MAX);
  #young = new Map<number, Kept>();
  #old = new Map<number, Kept>();
  readonly #lately = new Int32Array(CAME_LATELY);
  /** Numbers of scopes, by their keys. */
  #scopes = new Map<string, number>();
  #lastScope = 0;
  /** What {@link find} has looked for: in what scope, 0 where the text has no shape, and by what hash. */
  #soughtScope = 0;
  #soughtHash = 0;

  constructor(shapesMax: number) {
    this.#shapesMax = shapesMax;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  find(text: Buffer, scopeKey: string, modes: SqlModes): RuledJudgement | undefined {
    this.#soughtScope = 0;
    if (!this.#shape.read(text, (modes.charset ?? "utf8") === "utf8")) return undefined;
    const scope = this.#scopes.get(scopeKey) ?? this.#newScope(scopeKey);
    const hash = this.#shape.hash ^ Math.imul(scope, GOLDEN);
    this.#soughtScope = scope;
    this.#soughtHash = hash;
    const young = this.#young.get(hash);
    const kept = young ?? this.#old.get(hash);
    if (kept === undefined || kept.scope !== scope || !this.#shape.is(kept.shape)) return undefined;
    if (young === undefined) this.#keep(hash, kept);
    return kept.judgement;
  }

  /**
   * A judgement of the text that {@link find} was asked for last: kept where it holds for all texts of its shape, and a text
   * of this shape has come before.
   */
  found(judgement: RuledJudgement): void {
    const [only, more] = judgement.facts;
    if (this.#soughtScope === 0 || only === undefined || more !== undefined || !ON_ROWS.has(only.kind)) return;
    const hash = this.#soughtHash;
    const place = (hash ^ (hash >>> 15)) & (CAME_LATELY - 1);
    const came = this.#lately[place] === hash;
    this.#lately[place] = hash;
    if (came) this.#keep(hash, { shape: this.#shape.copy(), scope: this.#soughtScope, judgement });
  }

  #keep(hash: number, kept: Kept): void {
    if (this.#young.size >= this.#shapesMax && !this.#young.has(hash)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(hash, kept);
  }

  #newScope(key: string): number {
    if (this.#scopes.size >= SCOPES_MAX) this.#scopes.clear();
    this.#lastScope = (this.#lastScope + 1) | 0;
    this.#scopes.set(key, this.#lastScope);
    return this.#lastScope;
  }
}
