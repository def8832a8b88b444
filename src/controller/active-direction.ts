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

/** Which stream runs while the tables are neither copied nor move; none while they do, and once rows flow nowhere. */
export function directionAtRest({ phase }: Pick<MigrationDocument, "phase">): Direction | undefined {
  if (phase === "running") return "forward";
  return phase === "switched" ? "reverse" : undefined;
}
