import type { Tuning } from "../cutover/migration-document.ts";
import { SIGNALS, type SignalView } from "../throttle/signals.ts";
import type { ThrottleStatus } from "../throttle/throttle.ts";
import { count } from "./format.ts";

/** How fast a copy or diff may go, and what keeps it from more. */
export function describeThrottle({ state, share, signals }: ThrottleStatus): string {
  const pace =
    state === "starting" ? "not begun" : share === 0 ? "stopped" : `${Math.round(share * 100)} % of the time`;
  const bad = signals.filter(({ verdict }) => verdict !== "clear").map(describeSignal);
  return bad.length === 0 ? pace : `${pace}, held back by ${bad.join("; ")}`;
}

function describeSignal({ name, value, ceiling, verdict, ageMs, problem }: SignalView): string {
  const { unit } = SIGNALS[name];
  const shown = (number: number): string => `${count(Math.round(number))}${unit === "" ? "" : ` ${unit}`}`;
  if (verdict === "over" && value !== undefined) return `${name} ${shown(value)}, at most ${shown(ceiling)}`;
  const since = ageMs === undefined ? "not known yet" : `not known for ${count(Math.round(ageMs / 1000))} s`;
  return `${name} ${since}${problem === undefined ? "" : ` (${problem.split("\n")[0]})`}`;
}

/** What an operator has said of the migration's speed. */
export function describeTuning({ limits = {}, replicas = [], readFrom }: Tuning): string {
  const parts = Object.entries(limits).map(([name, value]) => `${name} ${count(value)}`);
  if (replicas.length > 0) parts.push(`replicas ${replicas.join(", ")}`);
  if (readFrom !== undefined) parts.push(`rows read from ${readFrom}`);
  return parts.join(", ") || "as configured";
}
