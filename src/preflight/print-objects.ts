import { isSwitchyardError } from "../base/errors.ts";
import { parseTableKey, quoteId, quoteTable, quoteText } from "../base/table-name.ts";
import { keyOf, readAccounts } from "./accounts.ts";
import type { CheckContext } from "./check.ts";
import { exactTexts } from "./exact-texts.ts";
import { parted } from "./moves-along.ts";
import { tablesNamedIn } from "./names-in-text.ts";
import { DefinitionsOfServer, SERVER_SCHEMAS } from "./read-behind.ts";
import type { ServerView } from "./server-view.ts";

/** What `check --print-objects` prints. */
export interface ObjectScript {
  /** For the `mysql` program, which knows `DELIMITER`; empty where nothing is missing. */
  readonly lines: readonly string[];
  /** Views, routines and events that use the tables and are not in the script, with the reason. */
  readonly leftOut: readonly string[];
  /** Definers that the target does not have, or that could not be looked up there. */
  readonly definers: readonly string[];
}

type Kind = "FUNCTION" | "PROCEDURE" | "VIEW" | "EVENT";

/** One view, routine or event of a server. */
interface StoredObject {
  readonly kind: Kind;
  /** `schema.name` as the server spells it. */
  readonly name: string;
  readonly definer: string;
  readonly body: string;
  /** What else must be equal for two of them to be the same; without the definer, who may be another there. */
  readonly more: string;
  /** Of an event. */
  readonly enabled: boolean;
}

/** Functions before the views that call them; events last, for they may call all others. */
const ORDER: readonly Kind[] = ["FUNCTION", "PROCEDURE", "VIEW", "EVENT"];

/**
 * The statements that make on the target what stands behind names and moves along with the tables: views, functions and
 * procedures all of whose tables move, and events that name one of them. What the target has with the same definition is
 * left alone. Events are made disabled: one that runs on both homes would do its work twice.
 *
 * To be run there once the tables have been copied, and before the switch. Changes nothing itself.
 */
export async function printObjects(context: CheckContext): Promise<ObjectScript> {
  const { source, target } = context;
  const [here, there] = [await storedObjects(source), await storedObjects(target)];
  const { wanted, leftOut } = await movingObjects(context, here);
  const known = new Map(there.map((one) => [keyOfObject(one), one]));
  const missing: StoredObject[] = [];
  const enabled: string[] = [];
  for (const one of wanted) {
    const other = known.get(keyOfObject(one));
    if (other === undefined || !(await areSame(context, one, other))) missing.push(one);
    else if (other.enabled) enabled.push(`event ${one.name}: it is on ${target.subject} already, and enabled there`);
  }
  const lines: string[] = [];
  for (const object of await inOrder(source, missing)) {
    lines.push(...(await statementsOf(source, object, known.has(keyOfObject(object)))));
  }
  return { lines, leftOut: [...leftOut, ...enabled], definers: await missingDefiners(target, missing) };
}

function keyOfObject({ kind, name }: StoredObject): string {
  return `${kind} ${name}`;
}

async function areSame({ source, target }: CheckContext, one: StoredObject, other: StoredObject): Promise<boolean> {
  if (one.body !== other.body || one.more !== other.more) return false;
  if (one.kind === "VIEW" || one.kind === "EVENT") return true;
  const [here] = await exactTexts(source, [rowOf(one)]);
  const [there] = await exactTexts(target, [rowOf(other)]);
  return here?.["body"] === there?.["body"];
}

function rowOf({ kind, name, body }: StoredObject): Readonly<Record<string, string>> {
  const { schema, table } = parseTableKey(name);
  return { kind, own_db: schema, own_name: table, body };
}

async function movingObjects(
  context: CheckContext,
  objects: readonly StoredObject[],
): Promise<{ readonly wanted: readonly StoredObject[]; readonly leftOut: readonly string[] }> {
  const definitions = await DefinitionsOfServer.of(context.source);
  const wanted: StoredObject[] = [];
  const leftOut: string[] = [];
  const listed: readonly (readonly [readonly Kind[], typeof definitions.views])[] = [
    [["VIEW"], definitions.views],
    [["FUNCTION", "PROCEDURE"], definitions.routines],
  ];
  for (const [kinds, all] of listed) {
    for (const one of all) {
      const { moving, staying } = parted(one, context);
      if (moving.length === 0) continue;
      const found = objects.filter(({ kind, name }) => kinds.includes(kind) && name === one.spelled);
      const reason = one.unknown ?? (staying.length > 0 ? `it also uses ${staying.join(", ")}` : undefined);
      if (reason === undefined) wanted.push(...found);
      else leftOut.push(`${(found[0]?.kind ?? kinds[0] ?? "").toLowerCase()} ${one.spelled}: ${reason}`);
    }
  }
  for (const event of objects.filter(({ kind }) => kind === "EVENT")) {
    const [exact] = await exactTexts(context.source, [rowOf(event)]);
    const { schema } = parseTableKey(event.name);
    if (tablesNamedIn(exact?.["body"] ?? "", schema, context.tables).length > 0) wanted.push(event);
  }
  return { wanted, leftOut };
}

async function storedObjects(server: ServerView): Promise<readonly StoredObject[]> {
  const rows = await server.rows(
    "SELECT 'VIEW' kind, TABLE_SCHEMA db, TABLE_NAME name, DEFINER definer, VIEW_DEFINITION body, " +
      "CONCAT_WS('|', CHECK_OPTION, SECURITY_TYPE) more, '' status FROM information_schema.VIEWS " +
      `WHERE TABLE_SCHEMA NOT IN ${SERVER_SCHEMAS} UNION ALL ` +
      "SELECT ROUTINE_TYPE, ROUTINE_SCHEMA, ROUTINE_NAME, DEFINER, ROUTINE_DEFINITION, " +
      "CONCAT_WS('|', SECURITY_TYPE, SQL_MODE, DTD_IDENTIFIER), '' FROM information_schema.ROUTINES " +
      `WHERE ROUTINE_SCHEMA NOT IN ${SERVER_SCHEMAS} UNION ALL ` +
      "SELECT 'EVENT', EVENT_SCHEMA, EVENT_NAME, DEFINER, EVENT_DEFINITION, CONCAT_WS('|', EVENT_TYPE, EXECUTE_AT, " +
      "INTERVAL_VALUE, INTERVAL_FIELD, STARTS, ENDS, SQL_MODE, TIME_ZONE), STATUS FROM information_schema.EVENTS " +
      `WHERE EVENT_SCHEMA NOT IN ${SERVER_SCHEMAS}`,
  );
  return rows.map((row) => ({
    kind: (row["kind"] ?? "VIEW") as Kind,
    name: `${row["db"]}.${row["name"]}`,
    definer: row["definer"] ?? "",
    body: row["body"] ?? "",
    more: row["more"] ?? "",
    enabled: row["status"] === "ENABLED",
  }));
}

/** Each after what it is made of: a view needs the views that it reads. */
async function inOrder(source: ServerView, objects: readonly StoredObject[]): Promise<readonly StoredObject[]> {
  const rows = await source.rows(
    "SELECT CONCAT(VIEW_SCHEMA, '.', VIEW_NAME) view, CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) reads_from " +
      "FROM information_schema.VIEW_TABLE_USAGE",
  );
  const reads = new Map<string, string[]>();
  for (const row of rows) {
    reads.set(row["view"] ?? "", [...(reads.get(row["view"] ?? "") ?? []), row["reads_from"] ?? ""]);
  }
  const left = new Map(objects.map((one) => [keyOfObject(one), one]));
  const ordered: StoredObject[] = [];
  const take = (object: StoredObject): void => {
    if (!left.delete(keyOfObject(object))) return;
    for (const name of object.kind === "VIEW" ? (reads.get(object.name) ?? []) : []) {
      const other = left.get(`VIEW ${name}`);
      if (other !== undefined) take(other);
    }
    ordered.push(object);
  };
  for (const kind of ORDER) for (const object of objects.filter((one) => one.kind === kind)) take(object);
  return ordered;
}

async function statementsOf(source: ServerView, object: StoredObject, replaces: boolean): Promise<readonly string[]> {
  const { kind } = object;
  const name = parseTableKey(object.name);
  const [row] = await source.rows(`SHOW CREATE ${kind} ${quoteTable(name)}`);
  const title = kind.charAt(0) + kind.slice(1).toLowerCase();
  const text = row?.[`Create ${title}`] ?? "";
  if (text === "") return [`-- the text of ${kind.toLowerCase()} ${object.name} cannot be seen by our account`];
  const mode = row?.["sql_mode"];
  const settings = [
    ...(mode === undefined || mode === null ? [] : [`sql_mode = ${quoteText(mode)}`]),
    ...(kind === "EVENT" ? [`time_zone = ${quoteText(row?.["time_zone"] ?? "SYSTEM")}`] : []),
    `collation_connection = ${quoteText(row?.["collation_connection"] ?? "utf8mb4_0900_ai_ci")}`,
  ];
  const delimiter = delimiterFor(text);
  return [
    "",
    `-- ${kind.toLowerCase()} ${object.name}${kind === "EVENT" ? ", disabled: enable it once the tables are at home here" : ""}`,
    `USE ${quoteId(name.schema)};`,
    `SET ${settings.join(", ")};`,
    ...(replaces ? [`DROP ${kind} IF EXISTS ${quoteTable(name)};`] : []),
    `DELIMITER ${delimiter}`,
    kind === "EVENT" ? disabled(text) : text,
    delimiter,
    "DELIMITER ;",
  ];
}

/** One that the text does not contain. */
function delimiterFor(text: string): string {
  for (let length = 2; ; length += 1) {
    const delimiter = "$".repeat(length);
    if (!text.includes(delimiter)) return delimiter;
  }
}

function disabled(text: string): string {
  return text.replace(/( ON COMPLETION (?:NOT )?PRESERVE )(?:ENABLE|DISABLE(?: ON (?:SLAVE|REPLICA))?)/, "$1DISABLE");
}

async function missingDefiners(target: ServerView, objects: readonly StoredObject[]): Promise<readonly string[]> {
  const wanted = [...new Set(objects.map(({ definer }) => definer))].sort();
  try {
    const there = new Set((await readAccounts(target)).map(keyOf));
    return wanted.filter((definer) => !there.has(definer)).map((definer) => `${definer} does not exist there`);
  } catch (error) {
    if (!isSwitchyardError(error)) throw error;
    return wanted.map((definer) => `${definer} could not be looked up: our account may not read mysql.user there`);
  }
}
