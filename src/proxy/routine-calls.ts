import type { RoutineRef, StatementFacts } from "../sql/statement.ts";
import type { Session } from "./session.ts";
import type { SessionBackend } from "./session-backends.ts";
import { assigned } from "./statement-effects.ts";

/** More calls that are not known yet are one pin together. */
const CALLS_MAX = 50;

/** A call of which it is not known what it has left in the session. */
export interface UnknownCall {
  readonly backend: string;
  readonly calls: readonly RoutineRef[];
  readonly schema: string | undefined;
}

/**
 * A statement that may call stored routines, by its text or by triggers, has been carried out, or has failed on its way: what they leave in the session is
 * in none of its texts. The rules tell it for routines that the controller has read; until then a CALL is a pin.
 */
export function noteCalls(
  session: Session,
  facts: StatementFacts,
  schema: string | undefined,
  backend: SessionBackend,
): void {
  const { state } = session;
  const byTriggers = state.routing.leftByTriggers(facts, schema);
  if (byTriggers.length > 0) keep(session, byTriggers, backend);
  const calls = facts.calls ?? [];
  const left = facts.calls === undefined ? undefined : state.routing.leftBy(calls, schema);
  if (left !== undefined) keep(session, left, backend);
  else if (facts.kind === "call") {
    const key =
      facts.calls === undefined || state.unknownCalls.size >= CALLS_MAX
        ? "call"
        : `call ${JSON.stringify([calls, schema])}`;
    state.pins.set(key, {
      backend: backend.name,
      reason: "a stored procedure may have changed the session",
      open: false,
    });
    if (key !== "call") state.unknownCalls.set(key, { backend: backend.name, calls, schema });
  }
}

/** Looks again at calls that were unknown when they were made. Answers whether some are known now. */
export function settleCalls(session: Session): boolean {
  const { state, backends } = session;
  let settled = false;
  for (const [key, { backend: name, calls, schema }] of state.unknownCalls) {
    const left = state.routing.leftBy(calls, schema);
    const backend = backends.get(name);
    if (left === undefined || backend === undefined) continue;
    settled = true;
    state.unknownCalls.delete(key);
    state.pins.clear(key);
    keep(session, left, backend);
  }
  return settled;
}

function keep({ state }: Session, left: readonly string[], backend: SessionBackend): void {
  const variables = left.filter((what) => what.startsWith("@")).map((what) => what.slice(1));
  assigned(state, variables, backend);
  const others = left.filter((what) => !what.startsWith("@"));
  if (others.length === 0) return;
  const reason = `a stored routine may have left it ${others.join(", ")}`;
  state.pins.set("routine", { backend: backend.name, reason, open: false });
}
