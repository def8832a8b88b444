import { isSwitchyardError } from "../../base/errors.ts";
import { quoteId, quoteTable, type TableName, tableKey } from "../../base/table-name.ts";
import { type PairedTable, pairColumns } from "../../table/column-pairs.ts";
import { mappedForeignKeys } from "../../table/mapped-foreign-keys.ts";
import { mappingOf, type TableMapping } from "../../table/table-mapping.ts";
import type { TableShape } from "../../table/table-shape.ts";
import type { Check, CheckContext } from "../check.ts";
import { type Finding, judge } from "../finding.ts";

/**
 * A table with a mapping is on the target as its operator made it, and each of its columns is one of the source's, or is
 * said to have no partner. What the way back cannot carry is refused unless it was said to be accepted.
 */
export const mappingCheck: Check = {
  id: "mapping",
  title: "tables with a mapping are on the target as it says, and every value is carried there and back",
  severities: ["error", "warning"],
  remedy: "Make the target's table what the mapping says, or the mapping what the tables are.",
  async run(context) {
    const findings: Finding[] = [];
    for (const table of context.tables) {
      const mapping = mappingOf(context.mappings, table);
      if (mapping !== undefined) findings.push(...(await look(context, table, mapping)));
    }
    if (findings.length > 0) return findings;
    const nothing = { observed: "no table has a mapping", expected: "the same columns on both sides", fix: "" };
    return [judge("mapping", true, { subject: context.target.subject, ...nothing })];
  },
};

async function look(context: CheckContext, table: TableName, mapping: TableMapping): Promise<Finding[]> {
  const shapes = await bothShapes(context, table);
  const subject = tableKey(table);
  if (shapes === undefined) {
    const observed = `no such table on ${context.target.subject}`;
    return [
      judge("mapping", false, {
        subject,
        observed,
        expected: "a table as the mapping says",
        fix: make(table, mapping),
      }),
    ];
  }
  const [source, target] = shapes;
  const paired = pairColumns(source, target, mapping);
  const keys = mappedForeignKeys(source, target, context.mappings ?? {});
  const fix = `Change the table of the target, or the mapping. It can be made so: ${make(table, mapping)}`;
  const findings = [...paired.problems, ...keys].map((observed) =>
    judge("mapping", false, {
      subject,
      observed,
      expected: "columns and keys that carry every row there and back",
      fix,
    }),
  );
  if (context.targetTables === "absent" && (await hasRows(context, table))) {
    const empty = `Empty it, if nobody needs its rows: TRUNCATE TABLE ${quoteTable(table)};`;
    findings.push(
      judge("mapping", false, { subject, observed: "a table with rows", expected: "an empty one", fix: empty }),
    );
  }
  return findings.length > 0 ? findings : [...narrowing(context, subject, mapping, paired), well(subject, paired)];
}

/** The migration's source and target, whichever is asked about. */
async function bothShapes(context: CheckContext, table: TableName): Promise<[TableShape, TableShape] | undefined> {
  const { source, target, backwards } = context;
  try {
    const [from, to] = [await source.shape(table), await target.shape(table)];
    return backwards === true ? [to, from] : [from, to];
  } catch (error) {
    if (isSwitchyardError(error, "TABLE_MISSING")) return undefined;
    throw error;
  }
}

function narrowing(context: CheckContext, subject: string, mapping: TableMapping, paired: PairedTable): Finding[] {
  // Before a rollback the way back is the one that rows come now, and has shown what it carries.
  if (paired.narrowings.length === 0 || context.backwards === true) return [];
  const allowed = mapping.allowNarrowing === true;
  const facts = {
    subject,
    observed: `after a switch a row with one of these stops the way back: ${paired.narrowings.join("; ")}`,
    expected: "columns and keys that take all values on the way back, or allowNarrowing: true in the mapping",
    fix: allowed
      ? "Keep the application from writing such values until the migration is complete; else widen the old home's column, or drop its key, when it happens."
      : "Widen these columns on the source too, take such unique keys off, or say allowNarrowing: true in the mapping.",
  };
  return [judge("mapping", false, facts, allowed ? "warning" : "error")];
}

function well(subject: string, { forward }: PairedTable): Finding {
  const { from, to, columns } = forward;
  const alone = [from.columns.length - columns.length, to.columns.length - columns.length];
  const observed = `${columns.length} columns in pairs, ${alone[0]} of the source alone, ${alone[1]} of the target alone`;
  return judge("mapping", true, {
    subject,
    observed,
    expected: "each column of a pair, or said to have none",
    fix: "",
  });
}

async function hasRows({ target }: CheckContext, table: TableName): Promise<boolean> {
  return (await target.rows(`SELECT 1 FROM ${quoteTable(table)} LIMIT 1`)).length > 0;
}

/** How an operator gets to such a table; types are his to fill in. */
function make(table: TableName, { rename = {}, add = [], drop = [], widen = [] }: TableMapping): string {
  const clauses = [
    ...Object.entries(rename).map(([from, to]) => `RENAME COLUMN ${quoteId(from)} TO ${quoteId(to)}`),
    ...drop.map((name) => `DROP COLUMN ${quoteId(name)}`),
    ...add.map((name) => `ADD COLUMN ${quoteId(name)} …`),
    ...widen.map((name) => `MODIFY COLUMN ${quoteId(rename[name] ?? name)} …`),
  ];
  return `on the target, the source's CREATE TABLE, then ALTER TABLE ${quoteTable(table)} ${clauses.join(", ")};`;
}
