import { quoteId, tableKey } from "../../base/table-name.ts";
import { bothServers, type Check, type CheckContext } from "../check.ts";
import { exactTexts } from "../exact-texts.ts";
import { type Finding, judge } from "../finding.ts";
import { movesAlong, parted } from "../moves-along.ts";
import type { Touched } from "../names-behind.ts";
import { tablesNamedIn } from "../names-in-text.ts";
import { DefinitionsOfServer } from "../read-behind.ts";
import { refusedLater, tooManyBehind } from "../refused-later.ts";
import type { ServerView } from "../server-view.ts";
import { guardStatements, isGuarded, type TriggerFacts } from "../trigger-guard.ts";

/** Triggers of ours begin so; they keep writes off an old home. */
const OURS = "switchyard_";
/** Those of pt-online-schema-change, which writes each change to its own copy of the table by them. */
const OF_PT = "pt_osc_";
/** Of the statements of one fix. */
const FIX_CHARS_MAX = 6000;

/** A trigger, and its place among those of the same moment. */
interface Listed extends TriggerFacts {
  readonly place: number;
}

/** Triggers, and the text that the server executes of each, by its name; see {@link exactTexts}. */
interface Lists {
  readonly all: readonly Listed[];
  readonly exact: ReadonlyMap<string, string>;
}

/**
 * A trigger would fire again when a stream writes the row that it has already changed elsewhere, and there is no setting of
 * a session against it. One that leaves our accounts alone by itself can be on both homes all the time.
 */
export const triggersCheck: Check = {
  id: "triggers",
  title: "triggers on the tables leave our streams alone, and no other table's use them",
  severities: ["error", "warning"],
  remedy:
    "Guard the trigger as the finding says, and create it on the target before the switch; or drop it, or leave the table out.",
  async run(context) {
    const findings: Finding[] = [];
    const moving = new Set(context.tables.map((table) => tableKey(table).toLowerCase()));
    const [here, there] = [await listed(context.source), await listed(context.target)];
    for (const server of bothServers(context)) {
      const { all, exact } = server === context.source ? here : there;
      for (const trigger of all) {
        if (moving.has(tableKey(trigger.table).toLowerCase())) continue;
        const used = tablesNamedIn(exact.get(nameOf(trigger)) ?? "", trigger.schema, context.tables);
        if (used.length > 0) findings.push(fromOutside(trigger, used));
      }
    }
    const on = ({ all, exact }: Lists): Lists => ({
      all: all.filter(({ table, name }) => moving.has(tableKey(table).toLowerCase()) && !name.startsWith(OURS)),
      exact,
    });
    findings.push(...(await onTheTables(context, on(here), on(there).all)));
    findings.push(
      ...(await refusedTriggers(context, moving)),
      ...(await tooManyBehind(context, "triggers", ["triggers"])),
    );
    if (findings.length > 0) return findings;
    return [
      judge("triggers", true, {
        subject: "both servers",
        observed: "no trigger uses the tables",
        expected: "none",
        fix: "",
      }),
    ];
  },
};

function fromOutside(trigger: Listed, used: readonly string[]): Finding {
  return judge("triggers", false, {
    subject: used.join(", "),
    observed: `trigger ${nameOf(trigger)} on ${tableKey(trigger.table)} uses it`,
    expected: "no trigger of a table that stays",
    fix: `DROP TRIGGER ${quoted(trigger)}; or move its table along, or leave the table out.`,
  });
}

async function onTheTables(
  context: CheckContext,
  { all: here, exact }: Lists,
  there: readonly Listed[],
): Promise<readonly Finding[]> {
  const { source, target, targetTables } = context;
  const findings: Finding[] = [];
  const { triggers } = await DefinitionsOfServer.of(source);
  const onTarget = new Map(there.map((trigger) => [nameOf(trigger), trigger]));
  for (const trigger of here) {
    const along = touchedBy(trigger, triggers);
    const guarded = bothServers(context).every(({ endpoint }) => isGuarded(trigger.body, endpoint.user));
    if (!guarded && along.unknown === undefined && parted(along, context).staying.length === 0) {
      findings.push(unguarded(source, target, trigger, exact.get(nameOf(trigger)) ?? ""));
      continue;
    }
    const other = onTarget.get(nameOf(trigger));
    const same = other === undefined ? undefined : JSON.stringify(other) === JSON.stringify(trigger);
    const missing = targetTables === "present" ? "error" : "warning";
    const show = `SHOW CREATE TRIGGER ${quoted(trigger)}`;
    findings.push(
      movesAlong({ id: "triggers", name: `trigger ${nameOf(trigger)}`, touched: along, same, missing, show }, context),
    );
  }
  const known = new Set(here.map(nameOf));
  for (const trigger of there) {
    if (known.has(nameOf(trigger))) continue;
    findings.push(
      judge("triggers", false, {
        subject: tableKey(trigger.table),
        observed: `${target.subject} has trigger ${nameOf(trigger)} on it, and the source has not`,
        expected: "the same triggers on both",
        fix: `On the target: DROP TRIGGER ${quoted(trigger)};`,
      }),
    );
  }
  return findings;
}

/** What all triggers of its table touch; a text that cannot be read touches what is not known. */
function touchedBy(trigger: Listed, all: readonly Touched[]): Touched {
  const own = tableKey(trigger.table);
  const touched = all.filter(({ spelled }) => spelled.toLowerCase() === own.toLowerCase());
  return {
    spelled: own,
    tables: [...new Set([own, ...touched.flatMap(({ tables }) => tables)])].sort(),
    unknown: touched.find(({ unknown }) => unknown !== undefined)?.unknown,
    leaves: [],
  };
}

function unguarded(source: ServerView, target: ServerView, trigger: Listed, exact: string): Finding {
  if (trigger.name.startsWith(OF_PT)) {
    return judge("triggers", false, {
      subject: tableKey(trigger.table),
      observed: `${source.subject} has trigger ${nameOf(trigger)} on it: pt-online-schema-change changes the table, or was stopped in it`,
      expected: "no tool that is about to put another table in its place",
      fix: `Let the tool end. Only where it does not run any more: DROP TRIGGER ${quoted(trigger)};`,
    });
  }
  const [user, other] = [source.endpoint.user, target.endpoint.user];
  const statements = user === other ? guardStatements(trigger, user) : undefined;
  // The body as it is listed has lost its escapes: the trigger would be dropped, and not or otherwise made again.
  const isWhole = bodyOf(exact).endsWith(trigger.body);
  const drop = `DROP TRIGGER ${quoted(trigger)}; or leave the table out.`;
  const why =
    user !== other
      ? "A guard names one user: log in to both servers as the same."
      : "A guard can name a user of letters, digits, dots, dashes and underscores only.";
  const shown = statements !== undefined && statements.length <= FIX_CHARS_MAX && isWhole;
  const guard = shown ? statements : undefined;
  const unshown = isWhole ? "is too long to be shown with the guard" : "has quotes that are not shown by the server";
  const long = statements === undefined ? why : `Its body ${unshown}; put the guard in front of it: docs/triggers.md.`;
  return judge("triggers", false, {
    subject: tableKey(trigger.table),
    observed: `${source.subject} has trigger ${nameOf(trigger)} on it`,
    expected: "no trigger, or one that does nothing for our streams",
    fix: `${guard === undefined ? long : `${guard} (docs/triggers.md)`} Or ${drop}`,
  });
}

const nameOf = ({ schema, name }: Listed): string => `${schema}.${name}`;
const quoted = ({ schema, name }: Listed): string => `${quoteId(schema)}.${quoteId(name)}`;

/** All triggers; those that are ours have no place. */
async function listed(server: ServerView): Promise<Lists> {
  const rows = await server.rows(
    "SELECT 'TRIGGER' kind, TRIGGER_SCHEMA own_db, TRIGGER_NAME own_name, EVENT_OBJECT_SCHEMA table_db, EVENT_OBJECT_TABLE table_name, " +
      "CONCAT(ACTION_TIMING, ' ', EVENT_MANIPULATION) at, DEFINER definer, SQL_MODE mode, ACTION_STATEMENT body " +
      "FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA NOT IN ('sys', 'mysql', '_switchyard') " +
      "ORDER BY EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER",
  );
  const before = new Map<string, number>();
  const all = rows.map((row) => {
    const table = { schema: row["table_db"] ?? "", table: row["table_name"] ?? "" };
    const when = row["at"] ?? "";
    const moment = `${tableKey(table)} ${when}`;
    const place = before.get(moment) ?? 0;
    if (!(row["own_name"] ?? "").startsWith(OURS)) before.set(moment, place + 1);
    const [schema, name, definer] = [row["own_db"] ?? "", row["own_name"] ?? "", row["definer"] ?? ""];
    return { schema, name, table, when, definer, mode: row["mode"] ?? "", body: bodyOf(row["body"] ?? ""), place };
  });
  const exact = (await exactTexts(server, rows)).map((row, index): [string, string] => [
    nameOf(all[index] as Listed),
    row["body"] ?? "",
  ]);
  return { all, exact: new Map(exact) };
}

/** Where a trigger was made among other statements, its server has kept what separates them. */
function bodyOf(text: string): string {
  return text.replace(/[;\s]+$/, "");
}

/** Writes to tables of which it is not known what their triggers touch. */
async function refusedTriggers({ source }: CheckContext, moving: ReadonlySet<string>): Promise<readonly Finding[]> {
  const { triggers } = await DefinitionsOfServer.of(source);
  const unknown = triggers.filter((one) => one.unknown !== undefined && !moving.has(one.spelled.toLowerCase()));
  if (unknown.length === 0) return [];
  const names = unknown.slice(0, 5).map(({ spelled, unknown: why }) => `on ${spelled} (${why})`);
  const fix = "Make sure that nobody writes these tables through the proxy, or grant what lets the account look.";
  return [
    refusedLater("triggers", source, { observed: `triggers may use any table: ${names.join(", ")}`, fix }, "warning"),
  ];
}
