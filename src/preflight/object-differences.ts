import { type TableName, tableKey } from "../base/table-name.ts";
import { openAdmin } from "../mysql/admin-connection.ts";
import type { Endpoint } from "../mysql/endpoint.ts";
import { exactTexts } from "./exact-texts.ts";
import type { Touched } from "./names-behind.ts";
import { DefinitionsOfServer, OUR_TRIGGERS, SERVER_SCHEMAS } from "./read-behind.ts";
import { ServerView } from "./server-view.ts";

type Facts = Readonly<Record<string, string | null>>;

/** A trigger, view or routine that is defined otherwise on two servers; null where a server has none of that name. */
export interface ObjectDifference {
  /** The first of the tables that it is on or uses. */
  readonly table: string;
  /** `trigger shop.stamp`, `view shop.open_orders`, `procedure shop.close`. */
  readonly what: string;
  readonly source: Facts | null;
  readonly target: Facts | null;
  /** What is to be known of it. */
  readonly note?: string;
}

/** One of a server, with the tables of ours that it uses. */
interface Found {
  readonly tables: readonly string[];
  readonly facts: Facts;
}

type FoundByName = ReadonlyMap<string, Found>;

const TRIGGERS =
  "SELECT 'TRIGGER' kind, TRIGGER_SCHEMA own_db, TRIGGER_NAME own_name, CONCAT(EVENT_OBJECT_SCHEMA, '.', EVENT_OBJECT_TABLE) used, " +
  "CONCAT(ACTION_TIMING, ' ', EVENT_MANIPULATION) moment, RANK() OVER (PARTITION BY EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE, " +
  "ACTION_TIMING, EVENT_MANIPULATION ORDER BY ACTION_ORDER) place, DEFINER definer, SQL_MODE mode, ACTION_STATEMENT body " +
  `FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA NOT IN ${SERVER_SCHEMAS} AND TRIGGER_NAME NOT LIKE '${OUR_TRIGGERS}'`;
const VIEWS =
  "SELECT 'VIEW' kind, TABLE_SCHEMA own_db, TABLE_NAME own_name, CHECK_OPTION check_option, SECURITY_TYPE security, " +
  `VIEW_DEFINITION body FROM information_schema.VIEWS WHERE TABLE_SCHEMA NOT IN ${SERVER_SCHEMAS}`;
const ROUTINES =
  "SELECT /*+ SET_VAR(group_concat_max_len = 1048576) */ r.ROUTINE_TYPE kind, r.ROUTINE_SCHEMA own_db, r.ROUTINE_NAME own_name, " +
  "r.SECURITY_TYPE security, r.SQL_MODE mode, r.SQL_DATA_ACCESS data_access, r.IS_DETERMINISTIC is_deterministic, " +
  "(SELECT GROUP_CONCAT(CONCAT_WS(' ', p.PARAMETER_MODE, p.PARAMETER_NAME, p.DTD_IDENTIFIER, p.COLLATION_NAME) " +
  "ORDER BY p.ORDINAL_POSITION SEPARATOR ', ') FROM information_schema.PARAMETERS p WHERE p.SPECIFIC_SCHEMA = r.ROUTINE_SCHEMA " +
  "AND p.SPECIFIC_NAME = r.SPECIFIC_NAME AND p.ROUTINE_TYPE = r.ROUTINE_TYPE) parameters, r.ROUTINE_DEFINITION body " +
  `FROM information_schema.ROUTINES r WHERE r.ROUTINE_SCHEMA NOT IN ${SERVER_SCHEMAS}`;

/**
 * How the triggers on the tables, and the views and routines that use them, differ between two servers. Our own guards are left
 * out, definers of views and routines, who may be others there, and what the account of either server may not see.
 *
 * @param home which of the two has the tables' writes
 */
export async function objectDifferences(
  ends: { readonly source: Endpoint; readonly target: Endpoint },
  tables: readonly TableName[],
  home: "source" | "target",
): Promise<readonly ObjectDifference[]> {
  const connections = await Promise.all([openAdmin(ends.source), openAdmin(ends.target)]);
  try {
    const servers = [
      new ServerView("source", ends.source, connections[0]),
      new ServerView("target", ends.target, connections[1]),
    ] as const;
    const moving = new Set(tables.map((table) => tableKey(table).toLowerCase()));
    const definitions = [await DefinitionsOfServer.of(servers[0]), await DefinitionsOfServer.of(servers[1])] as const;
    const views = usersOf(definitions, "views", moving);
    const routines = definitions.every((one) => one.seesRoutines)
      ? usersOf(definitions, "routines", moving)
      : new Map();
    const seen = await Promise.all(servers.map((server) => seesTriggers(server, tables)));
    const triggers = seen.includes(false) ? new Set<string>() : moving;
    const [source, target] = await Promise.all(
      servers.map(
        async (server) =>
          new Map([
            ...(await triggersOn(server, triggers)),
            ...(await objects(server, VIEWS, views)),
            ...(await objects(server, ROUTINES, routines)),
          ]),
      ),
    );
    return unlike(source ?? new Map(), target ?? new Map(), home);
  } finally {
    await Promise.all(connections.map((connection) => connection.close()));
  }
}

async function seesTriggers(server: ServerView, tables: readonly TableName[]): Promise<boolean> {
  const privileges = await server.privileges();
  return tables.every(({ schema }) => privileges.onSchema("TRIGGER", schema));
}

/** By name, in lower case, the tables that are used by what either server has of that name. */
function usersOf(
  definitions: readonly DefinitionsOfServer[],
  kind: "views" | "routines",
  moving: ReadonlySet<string>,
): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  for (const { spelled, tables } of definitions.flatMap((one): readonly Touched[] => one[kind])) {
    const used = tables.filter((table) => moving.has(table.toLowerCase()));
    if (used.length > 0) found.set(spelled.toLowerCase(), used);
  }
  return found;
}

async function triggersOn(server: ServerView, tables: ReadonlySet<string>): Promise<FoundByName> {
  const rows = (await server.rows(TRIGGERS)).filter(({ used }) => tables.has((used ?? "").toLowerCase()));
  return named(await exactTexts(server, rows), ({ used }) => [used ?? ""]);
}

async function objects(
  server: ServerView,
  sql: string,
  users: ReadonlyMap<string, readonly string[]>,
): Promise<FoundByName> {
  const of = ({ own_db: schema, own_name: name }: Facts): readonly string[] | undefined =>
    users.get(`${schema}.${name}`.toLowerCase());
  const rows = (await server.rows(sql)).filter((row) => of(row) !== undefined);
  return named(sql === VIEWS ? rows : await exactTexts(server, rows), (row) => of(row) ?? []);
}

function named(rows: readonly Facts[], tablesOf: (row: Facts) => readonly string[]): FoundByName {
  return new Map(
    rows.map((row) => {
      const { kind, own_db: schema, own_name: name, used: _, body, ...facts } = row;
      // Where a trigger was made among other statements, its server has kept what separates them.
      const text = body?.replace(/[;\s]+$/, "") ?? null;
      return [`${kind?.toLowerCase()} ${schema}.${name}`, { tables: tablesOf(row), facts: { ...facts, body: text } }];
    }),
  );
}

function unlike(source: FoundByName, target: FoundByName, home: "source" | "target"): ObjectDifference[] {
  const differences: ObjectDifference[] = [];
  for (const what of new Set([...source.keys(), ...target.keys()])) {
    const [mine, theirs] = [source.get(what), target.get(what)];
    const where = { table: (mine ?? theirs)?.tables[0] ?? "", what };
    if (mine !== undefined && theirs !== undefined) {
      const fields = Object.keys(mine.facts).filter((field) => mine.facts[field] !== theirs.facts[field]);
      const only = ({ facts }: Found): Facts =>
        Object.fromEntries(fields.map((field) => [field, facts[field] ?? null]));
      if (fields.length > 0) differences.push({ ...where, source: only(mine), target: only(theirs) });
    } else {
      const atHome = (home === "source" ? mine : theirs) !== undefined;
      differences.push({
        ...where,
        source: mine?.facts ?? null,
        target: theirs?.facts ?? null,
        ...(atHome ? { note: noteOf(what) } : {}),
      });
    }
  }
  return differences;
}

/** What is at home alone may be so until the tables move. */
function noteOf(what: string): string {
  if (what.startsWith("trigger ")) return "at home alone by design until shortly before a switch, see docs/triggers.md";
  return "at home alone; a switch wants it on both, and `check --print-objects` prints it";
}
