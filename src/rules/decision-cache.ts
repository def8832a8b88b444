import { analyzeSql } from "../sql/classifier.ts";
import type { SqlModes, StatementFacts } from "../sql/statement.ts";
import { CameLately } from "./came-lately.ts";
import type { Judgement, RuledJudgement } from "./judgement.ts";
import type { NameScope, Routing } from "./routing.ts";
import { ShapeCache } from "./shape-cache.ts";
import { TwoHalves } from "./two-halves.ts";

/** Bounds of the cache; longer texts are judged each time and not kept. */
export interface DecisionCacheLimits {
  readonly textBytesMax: number;
  /** Of each half of {@link TwoHalves}, of texts and of shapes. */
  readonly textsMax: number;
}

const DEFAULT_LIMITS: DecisionCacheLimits = { textBytesMax: 4096, textsMax: 5000 };

/**
 * Decisions by text, kept for the sessions of one worker once a text has come twice. Facts outlive a change of the
 * rules; decisions are made anew under each generation, so that none of an older one is ever given out.
 */
export class DecisionCache {
  readonly #limits: DecisionCacheLimits;
  #routing: Routing;
  #serial = 0;
  readonly #kept: TwoHalves<string, RuledJudgement>;
  /** Hashes of texts that were not kept. */
  readonly #lately = new CameLately();
  readonly #shapes: ShapeCache;

  constructor(routing: Routing, limits: DecisionCacheLimits = DEFAULT_LIMITS) {
    this.#routing = routing;
    this.#limits = limits;
    this.#kept = new TwoHalves(limits.textsMax);
    this.#shapes = new ShapeCache(limits.textsMax);
  }

  get routing(): Routing {
    return this.#routing;
  }

  /** Another one whenever judgements may be others: for those who keep some, and not the rules with them. */
  get serial(): number {
    return this.#serial;
  }

  /** Texts and shapes kept at present. */
  get size(): number {
    return this.#kept.size + this.#shapes.size;
  }

  /** Every judgement from now on is by these rules. */
  use(routing: Routing): void {
    this.#routing = routing;
    this.#serial += 1;
  }

  /**
   * Judges a text by the rules in force.
   *
   * @param scopeKey as made by {@link scopeKey} for the same modes and scope
   * @throws {SwitchyardError} `SQL_TOO_MANY_STATEMENTS`
   */
  judge(text: Buffer, scopeKey: string, modes: SqlModes, scope: NameScope): RuledJudgement {
    if (text.length > this.#limits.textBytesMax || (scope.temporaryTables?.size ?? 0) > 0) {
      return this.#decide(analyzeSql(text, modes), scope);
    }
    const key = scopeKey + text.toString("latin1");
    const entry = this.#kept.get(key);
    if (entry?.routing === this.#routing) return entry;
    const fresh = this.#decide(entry?.facts ?? analyzeSql(text, modes), scope);
    if (entry !== undefined || this.#lately.before(hashOf(text))) this.#kept.set(key, fresh);
    return fresh;
  }

  /**
   * As {@link judge}, but of statements on rows the facts may be those of another text, which differs in the values of
   * literals alone: their places in the text, and what would tell such a value, are not to be used.
   */
  judgeShape(text: Buffer, scopeKey: string, modes: SqlModes, scope: NameScope): Judgement {
    if ((scope.temporaryTables?.size ?? 0) > 0) return this.judge(text, scopeKey, modes, scope);
    const known = this.#shapes.find(text, scopeKey, modes);
    if (known !== undefined && known.routing === this.#routing) return known;
    const judgement = known === undefined ? this.judge(text, scopeKey, modes, scope) : this.#decide(known.facts, scope);
    this.#shapes.found(judgement);
    return judgement;
  }

  #decide(facts: readonly StatementFacts[], scope: NameScope): RuledJudgement {
    const routing = this.#routing;
    return { facts, decisions: routing.decideAll(facts, scope), routing };
  }
}

function hashOf(text: Buffer): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ (text[at] ?? 0), 0x01000193);
  return hash;
}

/** What else but the text decides on a judgement; make it anew whenever the session's schema or modes change. */
export function scopeKey(modes: SqlModes, schema: string | undefined): string {
  const flags = [modes.ansiQuotes, modes.noBackslashEscapes, modes.ignoreSpace === true].map(Number).join("");
  const versions = modes.serverVersions;
  const range = versions === undefined ? "" : `${versions.oldest}-${versions.newest}`;
  return `${flags} ${modes.charset ?? "utf8"} ${range} ${schema === undefined ? "" : JSON.stringify(schema)}\n`;
}
