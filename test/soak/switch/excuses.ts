import type { Cell, Kind } from "./cells.ts";
import { HIT_PROXY } from "./faults.ts";
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
