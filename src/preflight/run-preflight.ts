import { systemClock } from "../base/clock.ts";
import { isSwitchyardError, messageOf, SwitchyardError } from "../base/errors.ts";
import type { TableName } from "../base/table-name.ts";
import { type AdminConnection, openAdmin } from "../mysql/admin-connection.ts";
import type { Endpoint } from "../mysql/endpoint.ts";
import { unlessStandstill } from "../mysql/unless-standstill.ts";
import type { TableMappings } from "../table/table-mapping.ts";
import type { Check, CheckContext } from "./check.ts";
import { CHECKS_OF_SERVERS, CHECKS_OF_TABLES } from "./check-list.ts";
import { reachableFinding } from "./checks/reachable.ts";
import { tablesExistCheck } from "./checks/tables-exist.ts";
import type { Finding } from "./finding.ts";
import { readStandstill } from "./read-standstill.ts";
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
    await addFindings(context, findings);
    return findings;
  } finally {
    await Promise.all(opened.map((connection) => connection.close()));
  }
}

/** A server that keeps a statement of a check waiting has ended the looking: the others would stand behind it. */
async function addFindings(context: CheckContext, findings: Finding[]): Promise<void> {
  const add = async (checks: readonly Check[], tables: readonly TableName[]): Promise<boolean> => {
    for (const check of checks) {
      const { found, standsStill } = await runCheck(check, { ...context, tables });
      findings.push(...found);
      if (standsStill) return false;
    }
    return true;
  };
  if (!(await add(CHECKS_OF_SERVERS, context.tables))) return;
  const before = findings.length;
  if (!(await add([tablesExistCheck], context.tables))) return;
  const tables = context.tables.filter((_, index) => findings[before + index]?.severity === "ok");
  if (tables.length > 0) await add(CHECKS_OF_TABLES, tables);
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
async function runCheck(
  check: Check,
  context: CheckContext,
): Promise<{ readonly found: readonly Finding[]; readonly standsStill: boolean }> {
  const { source, target } = context;
  const look = () => readStandstill([source.endpoint, target.endpoint]);
  try {
    const found = await unlessStandstill(check.run(context), { clock: systemClock, what: check.title, look });
    return { found, standsStill: false };
  } catch (error) {
    if (!isSwitchyardError(error)) throw error;
    const why = [messageOf(error).split("\n")[0] ?? "", ...(error.facts.details ?? [])].join(": ");
    const finding: Finding = {
      id: check.id,
      severity: "error",
      subject: check.title,
      observed: `could not be checked: ${why}`,
      expected: "an answer from both servers",
      fix: error.facts.fix ?? "Grant what check --print-grants prints, and try again.",
    };
    return { found: [finding], standsStill: error.code === "MYSQL_COMMITS_STAND_STILL" };
  }
}
