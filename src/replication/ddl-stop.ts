import type { ErrorCode } from "../base/error-codes.ts";
import { type ErrorFacts, messageOf, SwitchyardError } from "../base/errors.ts";
import { tableKey } from "../base/table-name.ts";
import { formatGtid } from "../gtid/gtid-set.ts";
import type { DdlItem } from "./intake.ts";
import { ddlStep } from "./seen-ddl.ts";

/** The stream has stopped before a definition statement that an operator can let it go on after. */
export class DdlStop extends SwitchyardError {
  /** The transaction that the statement is. */
  readonly gtid: string;

  constructor(code: ErrorCode, gtid: string, facts: ErrorFacts) {
    super(code, facts);
    this.gtid = gtid;
  }
}

/** What `migration resume` must be told so that the stream passes over a statement. */
function resumeAfter(migration: string, gtid: string): string {
  return `\`switchyard migration resume ${migration} --after-ddl ${gtid}\``;
}

const ANEW = "Cancel the migration and create it again, with the tables as they are now.";

/** @param copied whether every row has been copied and the target has all its keys */
export function statementSeen(migration: string, item: DdlItem, copied: boolean): SwitchyardError {
  const gtid = formatGtid(item.gtid);
  const tool = item.ddl?.tool;
  const facts: ErrorFacts = {
    what: `a statement on the source may change the tables that are followed: ${item.why}`,
    details: [...detailsOf(item), ...(tool === undefined ? [] : [`made by      ${tool}`])],
    changed: "The stream stopped before it; all earlier transactions are applied.",
    fix: fixOf(migration, item, copied),
  };
  if (item.ddl === undefined) return new SwitchyardError("REPLICATION_STATEMENT_SEEN", facts);
  return new DdlStop("REPLICATION_STATEMENT_SEEN", gtid, facts);
}

/** The statement is one that could be carried on or passed over, and here it cannot. */
export function ddlFailed(migration: string, item: DdlItem, why: string, cause?: unknown): DdlStop {
  const gtid = formatGtid(item.gtid);
  return new DdlStop("REPLICATION_DDL_FAILED", gtid, {
    what: `a definition statement of the source does not go on the target: ${why}`,
    details: [...detailsOf(item), ...(cause === undefined ? [] : [messageOf(cause).split("\n")[0] ?? ""])],
    changed:
      "The stream stopped before it; all earlier transactions are applied, and the target's tables are as they were.",
    fix: `Bring ${tablesOf(item)} on the target by hand to what the statement makes of it, then ${resumeAfter(migration, gtid)}.`,
    cause,
  });
}

export function ddlUncertain(migration: string, item: DdlItem): DdlStop {
  const gtid = formatGtid(item.gtid);
  return new DdlStop("REPLICATION_DDL_UNCERTAIN", gtid, {
    what: `a process died while it carried a definition statement to the target, and ${tablesOf(item)} is there neither as it was before nor as the statement makes it`,
    details: detailsOf(item),
    changed: "The stream stopped before it; all earlier transactions are applied.",
    fix: `Somebody else has changed the table. Bring it by hand to what the statement makes of it, then ${resumeAfter(migration, gtid)}.`,
  });
}

function detailsOf(item: DdlItem): readonly string[] {
  const { sql, schema } = item.event;
  return [
    `transaction  ${formatGtid(item.gtid)}`,
    `committed    ${new Date(item.commitMicros / 1000).toISOString()}`,
    ...(schema === "" ? [] : [`in schema    ${schema}`]),
    `statement    ${sql.replaceAll(/\s+/g, " ").slice(0, 400)}`,
  ];
}

function tablesOf({ ddl }: DdlItem): string {
  return ddl?.tables.map(tableKey).join(", ") ?? "the table";
}

function fixOf(migration: string, item: DdlItem, copied: boolean): string {
  const { ddl } = item;
  if (ddl === undefined) {
    return `Let sessions on the source log rows (binlog_format=ROW). ${ANEW}`;
  }
  const resume = resumeAfter(migration, formatGtid(item.gtid));
  const passes = ddl.kind === "trigger" || ddl.kind === "tool-trigger" || ddl.kind === "reference";
  if (!copied && !passes) return `Rows are still being copied as the table was before. ${ANEW}`;
  const apply =
    ddlStep("apply", ddl.kind, false) === "apply"
      ? ` Or let Switchyard do it, now and from now on: \`switchyard migration tune ${migration} --on-ddl apply\`, then \`migration resume\`.`
      : "";
  const diff = "A diff must be clean before the next switch.";
  switch (ddl.kind) {
    case "change":
    case "unrepeatable":
    case "truncate":
      return `Run the same statement on the target by hand, then ${resume}.${apply} ${diff}`;
    case "trigger":
      return `Drop the trigger, or guard it and create it on the target as well (docs/triggers.md); then ${resume}. ${diff}`;
    case "tool-trigger":
      return (
        `${ddl.tool ?? "A tool"} works on ${tablesOf(item)}: it is best ended before the migration goes on. Its triggers do no harm to ` +
        `the target; ${resume} passes over this one, and the stream will stop where the tool puts its copy in the table's place.`
      );
    case "reference":
      return `Drop the foreign key, or move its table along; ${resume} passes over the statement. ${diff}`;
    case "other":
      return ddl.tool === undefined
        ? `Give ${tablesOf(item)} on the target the definition and the rows that it has on the source now, then ${resume}; or cancel the migration and create it again. ${diff}`
        : `${ddl.tool} has put its copy in the place of ${tablesOf(item)}. Run on the target the ALTER TABLE that it was given, so that both ` +
            `definitions are the same, then ${resume}. ${diff} Another time run it before a migration begins or after it is completed.`;
  }
}
