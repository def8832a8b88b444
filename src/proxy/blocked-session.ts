import type { BlockedKind, BlockedSession } from "../rules/proxy-document.ts";
import { shownCause, type Tie } from "./cause.ts";
import type { TrafficSession } from "./traffic-session.ts";

/** A session that stands in the way of a switch, as the controller is told of it. */
export function blockedSession(session: TrafficSession, kind: BlockedKind, tie: Tie, nowMs: number): BlockedSession {
  const { program, address } = session.origin ?? {};
  return {
    kind,
    session: session.id,
    user: session.user,
    reason: tie.reason,
    ...(program === undefined ? {} : { program }),
    ...(address === undefined ? {} : { address }),
    ...(tie.cause === undefined ? {} : shownCause(tie.cause, nowMs)),
  };
}
