import type { Phase } from "../cutover/phase.ts";
import type { EventType } from "../cutover/transitions.ts";
import type { StreamStatus } from "../replication/stream-status.ts";

/**
 * What the journal has to be told, given how far the forward stream is: the next event of the way from `created` to
 * `running`, or nothing. Called again after each event until it has nothing to say.
 */
export function dueEvent(phase: Phase, status: Pick<StreamStatus, "state" | "copied">): EventType | undefined {
  switch (phase) {
    case "created":
      return "copy-started";
    case "copying":
      return status.copied ? "copy-finished" : undefined;
    case "catching-up":
      return status.copied && status.state === "running" ? "caught-up" : undefined;
    case "running":
    case "switching":
    case "switched":
    case "rolling-back":
    case "completed":
    case "cancelled":
      return undefined;
  }
}
