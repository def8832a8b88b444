import type { Direction, MigrationDocument } from "../cutover/migration-document.ts";

/** Which stream runs in a phase; none where the tables' rows flow nowhere. */
export function activeDirection(document: MigrationDocument): Direction | undefined {
  switch (document.phase) {
    case "created":
    case "copying":
    case "catching-up":
    case "running":
    case "switching":
      return "forward";
    case "switched":
    case "rolling-back":
      return "reverse";
    case "completed":
    case "cancelled":
      return undefined;
  }
}
