import type { TableName } from "../base/table-name.ts";
import type { OnDdl } from "../rules/on-ddl.ts";
import type { TableChange } from "../sql/table-change.ts";

/**
 * What a definition statement does to the tables of a migration.
 *
 * - `change`: another definition of one table, whose effect on rows and columns is the same on every server.
 * - `unrepeatable`: another definition of one table that may give other rows on another server, or reaches beyond the table.
 * - `truncate`: all rows of one table go, without row events.
 * - `trigger`: a trigger appears on the source; `tool-trigger`: one of a tool, which writes the tool's own table only.
 * - `reference`: a table outside gets a foreign key to one inside.
 * - `other`: tables are renamed, dropped, replaced, lose partitions, or what else cannot be carried on.
 */
export type DdlKind = "change" | "unrepeatable" | "truncate" | "trigger" | "tool-trigger" | "reference" | "other";

/** A definition statement that concerns tables of a migration. */
export interface SeenDdl {
  readonly kind: DdlKind;
  /** The tables of the migration, as it spells them. */
  readonly tables: readonly TableName[];
  /** Of `change`, `unrepeatable` and `truncate`. */
  readonly change?: TableChange;
  /** The program that changes definitions without locks and has left its marks, where there are any. */
  readonly tool?: string;
}

export type DdlStep = "stop" | "apply" | "pass";

/**
 * What is done with each. `ignore` stops where rows of the target would stay other than those of the source although no row
 * event said so; `apply` where the target would not become what the source is.
 */
const STEPS: Readonly<Record<OnDdl, Readonly<Record<DdlKind, DdlStep>>>> = {
  stop: {
    change: "stop",
    unrepeatable: "stop",
    truncate: "stop",
    trigger: "stop",
    "tool-trigger": "stop",
    reference: "stop",
    other: "stop",
  },
  apply: {
    change: "apply",
    unrepeatable: "stop",
    truncate: "apply",
    trigger: "stop",
    "tool-trigger": "pass",
    reference: "stop",
    other: "stop",
  },
  ignore: {
    change: "pass",
    unrepeatable: "pass",
    truncate: "stop",
    trigger: "pass",
    "tool-trigger": "pass",
    reference: "pass",
    other: "stop",
  },
};

/** @param acknowledged somebody has said that the target needs no more for this one */
export function ddlStep(policy: OnDdl, kind: DdlKind, acknowledged: boolean): DdlStep {
  return acknowledged ? "pass" : STEPS[policy][kind];
}

/** The program whose trigger one with this name is, if it is one of a tool. */
export function triggerTool(name: string): string | undefined {
  return name.toLowerCase().startsWith("pt_osc_") ? "pt-online-schema-change" : undefined;
}

/**
 * The program whose cut-over a RENAME TABLE is: a filled copy of the table, under a name that the program makes of the
 * table's, takes its place. `others` are all names in the statement.
 */
export function renameTool(table: string, others: readonly string[]): string | undefined {
  const names = others.map((name) => name.toLowerCase());
  const own = table.toLowerCase();
  if (names.includes(`_${own}_gho`)) return "gh-ost";
  if (names.some((name) => name.replace(/^_+/, "_") === `_${own}_new`)) return "pt-online-schema-change or spirit";
  return undefined;
}
