import type { StatementFacts } from "../sql/statement.ts";
import type { Decision, Routing } from "./routing.ts";

/** What is known of a text, and where each of its statements goes by the rules in force. */
export interface Judgement {
  readonly facts: readonly StatementFacts[];
  readonly decisions: readonly Decision[];
}

/** A judgement, and the rules by which it was made. */
export interface RuledJudgement extends Judgement {
  readonly routing: Routing;
}
