import { isSwitchyardError, messageOf, SwitchyardError } from "../base/errors.ts";
import type { TableName } from "../base/table-name.ts";
import { type AdminConnection, openAdmin } from "../mysql/admin-connection.ts";
import type { Endpoint } from "../mysql/endpoint.ts";
import type { TableMappings } from "../table/table-mapping.ts";
import type { Check, CheckContext } from "./check.ts";
import { CHECKS_OF_SERVERS, CHECKS_OF_TABLES } from "./check-list.ts";
import { reachableFinding } from "./checks/reachable.ts";
import { tablesExistCheck } from "./checks/tables-exist.ts";
import type { Finding } from "./finding.ts";
import { ServerView } from "./server-view.ts";

const LOCK_WAIT_SECONDS = 3;

/** One end of a migration. Without a connection one is opened, and closed afterwards. */
export interface PreflightEnd {
  readonly endpoint: Endpoint;
  readonly connection?: AdminConnection | undefined;
}

export interface PreflightRequest {
  readonly source: PreflightEnd;
  readonly target: PreflightEnd;
  readonly tables: readonly TableName[];
  /** `absent` (the default) before a migration, `present` when its tables have been copied. */
  readonly targetTables?: "absent" | "present";
  /** In what the tables of a migration's target differ from its source's. */
  readonly mappings?: TableMappings;
  /** True where `source` and `target` here are the migration's target and source. */
  readonly backwards?: boolean;
}

/**
 * Looks at everything that could forbid the migration, and goes on past what it finds, so that an operator sees all
 * of it at once. What needs a login or a table that is not there is left out.
 *
 * On each server it may make the schema `_switchyard`, and in it scratch tables that it drops again; nothing else is
 * changed. Never throws for what a server says; a connection that breaks is a finding too.
 */
export async function runPreflight(request: PreflightRequest): Promise<readonly Finding[]> {
  const opened: AdminConnection[] = [];
  try {
    const findings: Finding[] = [];
    const source = await open("source", request.source, opened, findings);
    const target = await open("target", request.target, opened, findings);
    if (source === undefined || target === undefined) return findings;
    const targetTables = request.targetTables ?? "absent";
    const { mappings = {}, backwards = false } = request;
    const context = { source, target, tables: request.tables, targetTables, mappings, backwards };
    for (const check of CHECKS_OF_SERVERS) findings.push(...(await runCheck(check, context)));
    const exist = await runCheck(tablesExistCheck, context);
    findings.push(...exist);
    const tables = request.tables.filter((_, index) => exist[index]?.severity === "ok");
    if (tables.length === 0) return findings;
    for (const check of CHECKS_OF_TABLES) findings.push(...(await runCheck(check, { ...context, tables })));
    return findings;
  } finally {
    await Promise.all(opened.map((connection) => connection.close()));
  }
}

/**
 * Refuses if one of the findings is an error.
 *
 * @throws {SwitchyardError} `PREFLIGHT_REFUSED`, with all of them
 */
export function refuseByFindings(migration: string, findings: readonly Finding[]): void {
  const errors = findings.filter(({ severity }) => severity === "error");
  if (errors.length === 0) return;
  throw new SwitchyardError("PREFLIGHT_REFUSED", {
    what: `migration "${migration}" cannot begin: ${errors.length} of the checks have failed`,
    details: errors.flatMap((finding) => [
      `${finding.id}  ${finding.subject}: ${finding.observed}; expected ${finding.expected}`,
      `  ${finding.fix}`,
    ]),
    changed: "Nothing was changed.",
    fix: "Correct what is listed, then try again; `switchyard check` shows the same list.",
  });
}

async function open(
  role: "source" | "target",
  end: PreflightEnd,
  opened: AdminConnection[],
  findings: Finding[],
): Promise<ServerView | undefined> {
  try {
    const connection = end.connection ?? (await openAdmin(end.endpoint));
    if (end.connection === undefined) opened.push(connection);
    // Trying a trigger is DDL: behind a backup's lock it would wait for as long as the server allows, which is a year.
    await connection.exec(`SET SESSION lock_wait_timeout = ${LOCK_WAIT_SECONDS}`);
    findings.push(reachableFinding(role, end.endpoint));
    return new ServerView(role, end.endpoint, connection);
  } catch (error) {
    if (!isSwitchyardError(error)) throw error;
    findings.push(reachableFinding(role, end.endpoint, error));
    return undefined;
  }
}

/** A check that could not look has found an error, too. */
async function runCheck(check: Check, context: CheckContext): Promise<readonly Finding[]> {
  try {
    return await check.run(context);
  } catch (error) {
    if (!isSwitchyardError(error)) throw error;
    return [
      {
        id: check.id,
        severity: "error",
        subject: check.title,
        observed: `could not be checked: ${messageOf(error).split("\n")[0] ?? ""}`,
        expected: "an answer from both servers",
        fix: error.facts.fix ?? "Grant what check --print-grants prints, and try again.",
      },
    ];
  }
}
