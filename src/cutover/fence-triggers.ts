import { createHash } from "node:crypto";
import { parseTableKey, quoteId, quoteTable, quoteText, type TableName, tableKey } from "../base/table-name.ts";
import { CONNECT_ATTRIBUTES_BYTES_MIN, PROXY_ATTRIBUTE } from "../mysql/connect-attributes.ts";
import type { LastingFence } from "./ports.ts";

const EVENTS = [
  ["INSERT", "i"],
  ["UPDATE", "u"],
  ["DELETE", "d"],
] as const;

/**
 * `fence`: refuses for good. `guard`: refuses while the session that put it up holds the guard's lock; and then, for a
 * limited time, whoever comes past the proxies, unless a session holds the lock of its being open.
 */
export type TriggerKind = "fence" | "guard";
const KIND_SUFFIX: Readonly<Record<TriggerKind, string>> = { fence: "", guard: "g" };

/** The user-level lock that a guard asks for. It goes with its session, however that ends. */
export function guardLock(migration: string): string {
  return `switchyard-guard:${migration}`;
}

/**
 * The user-level lock that says of an attempt's guards that the server is known to be the tables' home. It goes with its session
 * as well. A later attempt has another token, so none is open by what an earlier one has left.
 */
export function openLock(token: string): string {
  return `switchyard-open:${token}`;
}

/** The comment by which whoever follows the server's binary log knows a DDL statement as ours. */
export function ourComment(migration: string, token: string): string {
  return `/* switchyard migration=${migration} token=${token} */`;
}

/** How the names of a migration's triggers begin; ids have no underscore, so no name is of two migrations. */
export function triggerPrefix(migration: string): string {
  return `switchyard_${migration}_`;
}

function triggerName(migration: string, table: string, suffix: string): string {
  const digest = createHash("sha256").update(table, "utf8").digest("hex").slice(0, 8);
  return `${triggerPrefix(migration)}${digest}_${suffix}`;
}

export interface FenceDefinition {
  readonly migration: string;
  readonly token: string;
  /** The user that our streams log in as: the only one that may still write. */
  readonly ownUser: string;
  /**
   * Until when, by the server's clock, a guard whose lock is gone refuses whoever comes past the proxies. Left out where
   * the server does not show which sessions are a proxy's: then it lets everybody pass.
   */
  readonly guardUntilUnixSeconds?: number | undefined;
}

/**
 * The statements that put a fence or a guard on one table: triggers that refuse every write by another user.
 *
 * They ask `USER()`, which is the client; `CURRENT_USER()` would be the trigger's definer, for everybody. User names
 * are compared byte by byte, as the server does for logins.
 *
 * The comment stands twice: the server writes its own text into the binary log, beginning with the definer, and keeps
 * only what comes after TRIGGER; the one in front is for whoever reads the statement as it was sent.
 */
export function createTriggers(table: string, kind: TriggerKind, fence: FenceDefinition): readonly string[] {
  const name = parseTableKey(table);
  const comment = ourComment(fence.migration, fence.token);
  const user = "LEFT(USER(), CHAR_LENGTH(USER()) - CHAR_LENGTH(SUBSTRING_INDEX(USER(), '@', -1)) - 1)";
  const refusal = kind === "fence" ? refuse(moved(table)) : guarding(table, fence);
  return EVENTS.map(
    ([event, suffix]) =>
      `${comment} CREATE TRIGGER ${comment} ${quoteId(name.schema)}.${quoteId(triggerName(fence.migration, table, KIND_SUFFIX[kind] + suffix))} ` +
      `BEFORE ${event} ON ${quoteTable(name)} FOR EACH ROW ` +
      `BEGIN ${comment} IF CAST(${user} AS BINARY) <> CAST(${quoteText(fence.ownUser)} AS BINARY) ` +
      `THEN ${refusal} END IF; END`,
  );
}

/**
 * What a guard does with a row of somebody else's. A home in use must not be shut to the proxies' clients by what an
 * attempt has left behind, so without its lock it refuses only sessions of which the server shows that no proxy has
 * opened them: one that is not instrumented passes, and so does everybody where attributes are not kept or the look fails.
 *
 * The look is a statement of its own: nothing is read while either lock is held, or past the time. `SYSDATE()` is the
 * server's clock, whatever a session has set as its `timestamp`.
 */
function guarding(table: string, { migration, token, guardUntilUnixSeconds: until }: FenceDefinition): string {
  const held = `IF IS_USED_LOCK(${quoteText(guardLock(migration))}) IS NOT NULL THEN ${refuse(moved(table))} END IF;`;
  if (until === undefined) return held;
  const moving = `switchyard: ${table} is being moved, and takes writes from the proxies alone; nothing was written`;
  return (
    `BEGIN DECLARE bypasses BOOL DEFAULT FALSE; ${held} ` +
    `IF UNIX_TIMESTAMP(SYSDATE()) < ${until} AND IS_USED_LOCK(${quoteText(openLock(token))}) IS NULL AND ${ATTRIBUTES_KEPT} THEN ` +
    "BEGIN DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END; SET bypasses = EXISTS (" +
    "SELECT 1 FROM performance_schema.threads t WHERE t.PROCESSLIST_ID = CONNECTION_ID() " +
    "AND NOT EXISTS (SELECT 1 FROM performance_schema.session_connect_attrs a " +
    `WHERE a.PROCESSLIST_ID = t.PROCESSLIST_ID AND a.ATTR_NAME = '${PROXY_ATTRIBUTE}')); END; ` +
    `IF bypasses THEN ${refuse(moving)} END IF; END IF; END;`
  );
}

const ATTRIBUTES_KEPT = `@@GLOBAL.performance_schema_session_connect_attrs_size >= ${CONNECT_ATTRIBUTES_BYTES_MIN}`;

/**
 * Asks for `now`, the server's clock as guards read it, and for `shown`: whether what a guard looks up about a session can be
 * read, and shows this one's attribute. It needs what the guard's definer needs, and fails where the guard would.
 */
export function askWhetherSessionsAreShown(ownAttribute: string): string {
  return (
    `SELECT FLOOR(UNIX_TIMESTAMP(SYSDATE())) now, ${ATTRIBUTES_KEPT} AND EXISTS (SELECT 1 FROM performance_schema.threads t ` +
    "JOIN performance_schema.session_connect_attrs a ON a.PROCESSLIST_ID = t.PROCESSLIST_ID " +
    `WHERE t.PROCESSLIST_ID = CONNECTION_ID() AND a.ATTR_NAME = ${quoteText(ownAttribute)}) shown`
  );
}

const MESSAGE_CHARS_MAX = 128;

function moved(table: string): string {
  return `switchyard: ${table} has moved to another server; nothing was written`;
}

function refuse(message: string): string {
  return `SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = ${quoteText(message.slice(0, MESSAGE_CHARS_MAX))};`;
}

export function dropTrigger(trigger: FenceTrigger, migration: string, token: string): string {
  return `${ourComment(migration, token)} DROP TRIGGER IF EXISTS ${quoteId(trigger.schema)}.${quoteId(trigger.name)}`;
}

/** A trigger of ours as the server lists it. */
export interface FenceTrigger {
  readonly schema: string;
  readonly name: string;
  readonly table: string;
  readonly token: string;
  readonly kind: TriggerKind;
}

/** Lists the triggers of a migration on its tables. */
export function listTriggers(migration: string, tables: readonly TableName[]): string {
  const names = tables.map((name) => `(${quoteText(name.schema)}, ${quoteText(name.table)})`).join(", ");
  return (
    "SELECT TRIGGER_SCHEMA db, TRIGGER_NAME name, EVENT_OBJECT_SCHEMA table_db, EVENT_OBJECT_TABLE table_name, " +
    "ACTION_STATEMENT body FROM information_schema.TRIGGERS " +
    `WHERE LEFT(TRIGGER_NAME, ${triggerPrefix(migration).length}) = ${quoteText(triggerPrefix(migration))} ` +
    `AND (EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE) IN (${names})`
  );
}

export function readTriggers(rows: readonly Readonly<Record<string, string | null>>[]): readonly FenceTrigger[] {
  return rows.map((row) => ({
    schema: row["db"] ?? "",
    name: row["name"] ?? "",
    table: tableKey({ schema: row["table_db"] ?? "", table: row["table_name"] ?? "" }),
    kind: /_g[iud]$/.test(row["name"] ?? "") ? "guard" : "fence",
    token: triggerTokenOf(row["body"] ?? ""),
  }));
}

/** The attempt that put a trigger up, as its text says; empty where it does not. */
export function triggerTokenOf(body: string): string {
  return /\/\* switchyard migration=\S+ token=(\S+) \*\//.exec(body)?.[1] ?? "";
}

/**
 * The user whom a trigger lets write, as its text says; undefined where that cannot be read. The information schema leaves the
 * character set out of the literal of {@link createTriggers}.
 */
export function triggerUserOf(body: string): string | undefined {
  const [, hex] = /<> CAST\(\s*(?:_utf8mb4\s*)?0x([0-9a-f]+) AS BINARY\)/i.exec(body) ?? [];
  return hex === undefined ? undefined : Buffer.from(hex, "hex").toString("utf8");
}

/** Whether a guard stands complete on a table, of that attempt where one is named. */
export function isGuarded(triggers: readonly FenceTrigger[], table: string, token?: string): boolean {
  const guards = triggers.filter((one) => one.kind === "guard" && one.table === table);
  return guards.filter((one) => token === undefined || one.token === token).length === EVENTS.length;
}

/** The lasting fences among the triggers: one for each table and token. */
export function fencesOf(triggers: readonly FenceTrigger[]): readonly LastingFence[] {
  const count = new Map<string, { table: string; token: string; triggers: number }>();
  for (const { table, token, kind } of triggers) {
    if (kind !== "fence") continue;
    const key = `${table} ${token}`;
    const fence = count.get(key) ?? { table, token, triggers: 0 };
    count.set(key, { ...fence, triggers: fence.triggers + 1 });
  }
  return [...count.values()].map(({ table, token, triggers: n }) => ({ table, token, complete: n === EVENTS.length }));
}
