import type { Judgement } from "../rules/judgement.ts";
import type { StatementFacts, StatementKind } from "../sql/statement.ts";
import { notSupported } from "./client-errors.ts";
import type { Session } from "./session.ts";
import type { Route } from "./statement-route.ts";

/** Kinds that may look at tables elsewhere than where they live. */
const LOOKS: ReadonlySet<StatementKind> = new Set(["select", "show", "explain"]);

/** Users whose statements may say which backend they go to. */
export class RouteHints {
  #users: ReadonlySet<string> = new Set();

  constructor(users: readonly string[]) {
    this.replace(users);
  }

  /** For statements from now on. */
  replace(users: readonly string[]): void {
    this.#users = new Set(users);
  }

  allows(user: string): boolean {
    return this.#users.has(user);
  }
}

export interface HintedStatement {
  readonly judgement: Judgement;
  /** Where it goes without the hint. */
  readonly route: Route;
  /** The backend that its text asks for. */
  readonly hint: string;
  /** It names temporary tables of the session. */
  readonly hidesTables: boolean;
}

/**
 * Where a statement goes whose text asks for a backend.
 *
 * A hint never moves a write: away from the home of its tables goes only a read that locks nothing, calls nothing that is
 * not known, leaves nothing in the session, and stands by itself, outside of transactions. It waits for the same holds and
 * needs the same licence as without the hint, and goes only to where it could have gone from here.
 */
export function hinted(session: Session, { judgement, route, hint, hidesTables }: HintedStatement): Route {
  const { context, state } = session;
  if (!context.hints.allows(session.user)) return { ...route, hint: "ignored" };
  if (context.backends[hint] === undefined) return refused(route, `there is no backend "${hint}" to go to by a hint`);
  const [facts, more] = judgement.facts;
  const [decision] = judgement.decisions;
  if (route.refusal === undefined && decision?.backend === hint && more === undefined) {
    return { ...route, hint: "followed" };
  }
  if (facts === undefined || more !== undefined || !looks(facts)) {
    const homes = judgement.decisions.flatMap(({ backend }) => backend ?? []);
    const at = homes.length === 0 ? "" : `; this statement belongs to ${[...new Set(homes)].join(" and ")}`;
    return refused(route, `by a hint goes elsewhere only a single read without locks and calls${at}`);
  }
  if (!state.transaction.isNone || session.backends.mayOpen) {
    return refused(route, "by a hint goes elsewhere only what stands outside of transactions, with autocommit");
  }
  const pinned = state.pins.first;
  if (pinned !== undefined && pinned.backend !== hint) {
    return refused(
      route,
      `by a hint to ${hint} nothing goes from a session that cannot leave ${pinned.backend}: ${pinned.reason}`,
    );
  }
  if (hidesTables) return refused(route, "by a hint nothing goes elsewhere that names temporary tables");
  return { ...route, backend: hint, chooses: true, refusal: undefined, hint: "followed", away: true };
}

function looks(facts: StatementFacts): boolean {
  const clear = !facts.touchesEverything && !facts.locksUserLevel && facts.effects.length === 0;
  return clear && LOOKS.has(facts.kind) && facts.readOnly;
}

function refused(route: Route, why: string): Route {
  return { ...route, refusal: { reason: "hint", error: notSupported(why) } };
}
