import type { CellOutcome } from "./cell-records.ts";
import type { Cell, Kind } from "./cells.ts";
import { HIT_PROXY } from "./faults.ts";
import type { MoveOutcome } from "./orders.ts";
import type { ClientError } from "./switch-clients.ts";

/** The connection is gone. */
const GONE =
  /Connection lost|closed state|ECONNRESET|EPIPE|connection (was )?(closed|lost|ended)|socket has unexpectedly been closed/i;
/** A hold that outlives its time while the store cannot be asked, or a proxy that has to trust its lease no more. */
const WITHOUT_STORE = /was given up; nothing was written/;

/**
 * Which errors clients may be told in a cell: those of the connections of what was hit, and no others. A controller has no
 * clients. Of a server that was hit a proxy says which it is, so that one that is not the tables' home may cost nobody anything.
 */
export function allowedErrors({ victim }: Pick<Cell, "victim">, kind: Kind): (error: ClientError) => boolean {
  switch (victim) {
    case "controller":
      return () => false;
    case "proxy":
      return ({ proxy }) => proxy === HIT_PROXY;
    case "etcd":
      return ({ text }) => GONE.test(text) || WITHOUT_STORE.test(text);
    case "old-home":
    case "new-home": {
      const hit = (victim === "old-home") === (kind === "switch") ? "old" : "new";
      return ({ text }) => GONE.test(text) || text.includes(`backend "${hit}"`);
    }
  }
}

/** Whoever is told this is told where the tables are, though the order is not finished. */
const SWAPPED = /is a fact, but is not finished/;

/** Whether what was told of an order is true; nobody who could tell it is lost is no lie. */
export function agrees({ outcome, text }: Pick<MoveOutcome, "outcome" | "text">, is: CellOutcome): boolean {
  if (outcome === "unknown") return is === "switched" || !SWAPPED.test(text);
  return outcome === is || (outcome === "refused" && is === "aborted");
}
