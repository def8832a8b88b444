import type { ErrPacket } from "../wire/err-packet.ts";
import { executionTimeExceeded, givenUp, holdFull, interrupted } from "./client-errors.ts";
import type { HoldOutcome } from "./hold-queue.ts";
import type { ProxyLimits } from "./proxy-config.ts";
import type { RefusalReason } from "./proxy-metrics.ts";
import type { Route } from "./statement-route.ts";

const TABLES_NAMED_MAX = 4;

/** What a client hears whose statement waited and goes unsent; nothing where there is nobody to hear it. */
export function errorOfOutcome(
  outcome: HoldOutcome,
  route: Route,
  waitedMs: number,
  limits: ProxyLimits,
): { readonly reason: RefusalReason; readonly error: ErrPacket } | undefined {
  switch (outcome) {
    case "released":
    case "abandoned":
      return undefined;
    case "killed":
      return { reason: "killed", error: interrupted() };
    case "timed-out":
      return { reason: "killed", error: executionTimeExceeded() };
    case "full": {
      const limit = `${limits.holdStatementsMax} statements or ${limits.holdBytesMax} bytes`;
      return { reason: "hold-full", error: holdFull(named(route), limit) };
    }
    case "given-up":
      return { reason: "held-too-long", error: givenUp(named(route), waitedMs, "for a switch") };
  }
}

function named(route: Route): string {
  if (route.tables.length === 0) return "any table";
  const names = route.tables.slice(0, TABLES_NAMED_MAX).join(", ");
  return route.tables.length > TABLES_NAMED_MAX ? `${names}, …` : names;
}
