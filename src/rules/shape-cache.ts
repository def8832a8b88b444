import type { SqlModes, StatementKind } from "../sql/statement.ts";
import { TextShape } from "../sql/text-shape.ts";
import { CameLately } from "./came-lately.ts";
import type { RuledJudgement } from "./judgement.ts";
import { TwoHalves } from "./two-halves.ts";

const SHAPE_BYTES_MAX = 2048;
/** More are forgotten, all at once. */
const SCOPES_MAX = 1000;
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
 * A shape is kept once it has come twice.
 */
export class ShapeCache {
  readonly #shape = new TextShape(SHAPE_BYTES_MAX);
  readonly #kept: TwoHalves<number, Kept>;
  readonly #lately = new CameLately();
  /** Numbers of scopes, by their keys. */
  #scopes = new Map<string, number>();
  #lastScope = 0;
  /** What {@link find} has looked for: in what scope, 0 where the text has no shape, and by what hash. */
  #soughtScope = 0;
  #soughtHash = 0;

  constructor(shapesMax: number) {
    this.#kept = new TwoHalves(shapesMax);
  }

  get size(): number {
    return this.#kept.size;
  }

  find(text: Buffer, scopeKey: string, modes: SqlModes): RuledJudgement | undefined {
    this.#soughtScope = 0;
    if (!this.#shape.read(text, (modes.charset ?? "utf8") === "utf8")) return undefined;
    const scope = this.#scopes.get(scopeKey) ?? this.#newScope(scopeKey);
    const hash = this.#shape.hash ^ Math.imul(scope, GOLDEN);
    this.#soughtScope = scope;
    this.#soughtHash = hash;
    const kept = this.#kept.get(hash);
    return kept?.scope === scope && this.#shape.is(kept.shape) ? kept.judgement : undefined;
  }

  /**
   * A judgement of the text that {@link find} was asked for last: kept where it holds for all texts of its shape, and a text
   * of this shape has come before.
   */
  found(judgement: RuledJudgement): void {
    const [only, more] = judgement.facts;
    if (this.#soughtScope === 0 || only === undefined || more !== undefined || !ON_ROWS.has(only.kind)) return;
    const hash = this.#soughtHash;
    if (!this.#lately.before(hash)) return;
    this.#kept.set(hash, { shape: this.#shape.copy(), scope: this.#soughtScope, judgement });
  }

  #newScope(key: string): number {
    if (this.#scopes.size >= SCOPES_MAX) this.#scopes.clear();
    this.#lastScope = (this.#lastScope + 1) | 0;
    this.#scopes.set(key, this.#lastScope);
    return this.#lastScope;
  }
}
