import { quoteId, quoteTable, type TableName } from "../base/table-name.ts";

const LABEL = "switchyard_guard";
/** Names that need no escape in any sql_mode, and in which USER() shows but one @. */
const PLAIN_USER = /^[\w.-]+$/;

/**
 * How the body of a trigger begins that does nothing for the rows of our streams: these log in as `ownUser`, and have the
 * trigger's effects among the rows that they bring. `undefined` where a user's name cannot be told so.
 *
 * It asks `USER()`, which is the client; `CURRENT_USER()` would be the trigger's definer, for everybody.
 */
export function guardOf(ownUser: string): string | undefined {
  if (!PLAIN_USER.test(ownUser)) return undefined;
  const user = "CAST(SUBSTRING_INDEX(USER(), '@', 1) AS BINARY)";
  const ours = `${user} = CAST('${ownUser}' AS BINARY)`;
  return `${LABEL}: BEGIN IF ${ours} THEN LEAVE ${LABEL}; END IF;`;
}

/**
 * Whether nothing of a trigger's body is executed for `ownUser`: a body is one statement, and this one is a block that is
 * left at once. Only white space may differ from how we write it.
 */
export function isGuarded(body: string, ownUser: string): boolean {
  const guard = guardOf(ownUser);
  return guard !== undefined && body.replaceAll(/\s+/g, " ").trimStart().startsWith(`${guard} `);
}

/** A trigger as a server lists it. */
export interface TriggerFacts {
  readonly schema: string;
  readonly name: string;
  readonly table: TableName;
  /** `BEFORE INSERT`. */
  readonly when: string;
  /** `user@host`. */
  readonly definer: string;
  /** Names of modes, with commas. */
  readonly mode: string;
  readonly body: string;
}

/** The statements that put the guard in front of a trigger's body, while nobody writes the table. */
export function guardStatements(trigger: TriggerFacts, ownUser: string): string | undefined {
  const guard = guardOf(ownUser);
  if (guard === undefined) return undefined;
  const name = `${quoteId(trigger.schema)}.${quoteId(trigger.name)}`;
  const table = quoteTable(trigger.table);
  const at = trigger.definer.lastIndexOf("@");
  const definer = `${quoteId(trigger.definer.slice(0, at))}@${quoteId(trigger.definer.slice(at + 1))}`;
  // The body may end in a comment.
  const body = `${guard} ${trigger.body}\n; END`;
  return (
    `SET SESSION sql_mode='${trigger.mode}'; LOCK TABLES ${table} WRITE; DROP TRIGGER ${name}; ` +
    `CREATE DEFINER=${definer} TRIGGER ${name} ${trigger.when} ON ${table} FOR EACH ROW ${body}; UNLOCK TABLES;`
  );
}
