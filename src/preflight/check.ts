import type { TableName } from "../base/table-name.ts";
import type { TableMappings } from "../table/table-mapping.ts";
import type { Finding } from "./finding.ts";
import type { ServerView } from "./server-view.ts";

/** What the checks look at. */
export interface CheckContext {
  readonly source: ServerView;
  readonly target: ServerView;
  /** The tables to move, as the source spells them. */
  readonly tables: readonly TableName[];
  /**
   * `absent`: the migration begins, and no table of ours may be on the target yet. `present`: the tables have been
   * copied, and stay where they are.
   */
  readonly targetTables: "absent" | "present";
  /** In what tables of a migration's target differ from its source's; none where left out. */
  readonly mappings?: TableMappings;
  /** True where {@link source} is the migration's target, as before a rollback. */
  readonly backwards?: boolean;
}

/** One question about a migration. It changes nothing that lasts on either server. */
export interface Check {
  readonly id: string;
  /** What is asked, for a list of checks: "every table has a primary key". */
  readonly title: string;
  /** How grave its findings may be. */
  readonly severities: readonly ("error" | "warning")[];
  /** What to do about a finding, in general; each finding says it for its case. */
  readonly remedy: string;
  /**
   * Looks, and says what it found: at least one finding. Throws only what its connections throw.
   */
  run(context: CheckContext): Promise<Finding[]>;
}

/** Both servers, the source first. */
export function bothServers(context: CheckContext): readonly [ServerView, ServerView] {
  return [context.source, context.target];
}
