import { SwitchyardError } from "../base/errors.ts";
import { parseTableKey, type TableName, tableKey } from "../base/table-name.ts";
import type { BackendConfig, Config } from "../config/config.ts";
import { type AdminConnection, openAdmin } from "../mysql/admin-connection.ts";
import { printAccounts } from "../preflight/checks/accounts.ts";
import type { Finding } from "../preflight/finding.ts";
import { type GrantStatement, grantStatements } from "../preflight/grants.ts";
import { printObjects } from "../preflight/print-objects.ts";
import { type GrantRole, OLDEST_VERSION } from "../preflight/requirements.ts";
import { runPreflight } from "../preflight/run-preflight.ts";
import { ServerView } from "../preflight/server-view.ts";
import { parseMappings, type TableMappings } from "../table/table-mapping.ts";
import type { CliContext, CommonOptions } from "./cli-context.ts";
import { count, table } from "./format.ts";
import { ReportedError } from "./remote-error.ts";
import { readRequestFile } from "./request-file.ts";

/** The options of `switchyard check`. */
export interface CheckOptions extends CommonOptions {
  readonly from?: string;
  readonly to?: string;
  readonly tables?: string;
  readonly file?: string;
  readonly printGrants?: string | true;
  readonly printAccounts?: boolean;
  readonly printObjects?: boolean;
  readonly role: GrantRole;
  readonly host: string;
  readonly withPasswords?: boolean;
  readonly serverVersion?: string;
}

/** What a check is about. */
interface Subject {
  readonly config: Config;
  readonly options: CheckOptions;
  readonly tables: readonly TableName[];
  readonly mappings: TableMappings;
  readonly print: (value: object, text: string) => void;
}

/** Does what `switchyard check` was asked to do. */
export async function runCheck(config: Config, given: CheckOptions, context: CliContext): Promise<void> {
  const { mapping, ...file } = given.file === undefined ? {} : await readRequestFile(given.file);
  const options: CheckOptions = { ...textsOf(file), ...given };
  const tables = tablesOf(options.tables);
  const subject: Subject = {
    config,
    options,
    tables,
    mappings: mapping === undefined ? {} : parseMappings(mapping, tables.map(tableKey)),
    print: (value, text) => context.out(options.json === true ? `${JSON.stringify(value)}\n` : `${text}\n`),
  };
  if (options.printGrants !== undefined) showGrants(subject, options.printGrants);
  else if (options.printAccounts === true) await showAccounts(subject);
  else if (options.printObjects === true) await showObjects(subject);
  else await check(subject, context);
}

/** As the options of the command line would say it. */
function textsOf({
  from,
  to,
  tables,
}: Readonly<Record<string, unknown>>): Pick<CheckOptions, "from" | "to" | "tables"> {
  const list = Array.isArray(tables) ? tables.join(",") : tables;
  const texts = Object.entries({ from, to, tables: list }).filter(([, value]) => typeof value === "string");
  return Object.fromEntries(texts);
}

function tablesOf(list: string | undefined): readonly TableName[] {
  const names = (list ?? "").split(",").filter((name) => name.trim() !== "");
  return names.map(parseTableKey);
}

async function check(subject: Subject, context: CliContext): Promise<void> {
  const { config, options, tables, mappings, print } = subject;
  const [from, to] = ends(config, options);
  const findings = await withConnections([from, to], ([source, target]) =>
    runPreflight({
      source: { endpoint: from, connection: source },
      target: { endpoint: to, connection: target },
      tables,
      mappings,
    }),
  );
  const errors = findings.filter(({ severity }) => severity === "error").length;
  const warnings = findings.filter(({ severity }) => severity === "warning").length;
  const report = { format: 1, from: from.name, to: to.name, tables: tables.map(tableKey), errors, warnings, findings };
  const text = describeFindings(findings, errors, warnings, tables.length);
  if (errors === 0) {
    print(report, text);
    return;
  }
  if (options.json !== true) context.out(`${text}\n`);
  throw new ReportedError(refused(from.name, to.name, errors), report);
}

function refused(from: string, to: string, errors: number): SwitchyardError {
  return new SwitchyardError("PREFLIGHT_REFUSED", {
    what: `nothing can move from "${from}" to "${to}" yet: ${count(errors)} of the checks have failed`,
    changed: "Nothing was changed.",
    fix: "Mend what is marked ERROR above, then check again.",
  });
}

function describeFindings(findings: readonly Finding[], errors: number, warnings: number, tables: number): string {
  const rank = { error: 2, warning: 1, ok: 0 } as const;
  const rows = findings
    .toSorted((a, b) => rank[a.severity] - rank[b.severity])
    .flatMap(({ severity, id, subject, observed, expected, fix }) => {
      const name = severity === "error" ? "ERROR" : severity;
      if (severity === "ok") return [[name, id, `${subject}: ${observed}`]];
      return [
        [name, id, `${subject}: ${observed}; expected ${expected}`],
        ["", "", `→ ${fix}`],
      ];
    });
  const scope = tables === 0 ? " Name the tables with --tables to have them checked too." : "";
  return `${table(rows)}\n\n${count(errors)} errors, ${count(warnings)} warnings.${scope}`;
}

function showGrants({ config, options, tables, print }: Subject, backend: string | true): void {
  const schemas = [...new Set(tables.map(({ schema }) => schema))].sort();
  if (schemas.length === 0) throw needsTables("--print-grants");
  const backends = backend === true ? Object.values(config.backends) : [backendOf(config, backend)];
  const version = versionOf(options.serverVersion);
  const grants = backends.map(({ name, host, port, user, password }) => {
    const account = {
      user,
      host: options.host,
      schemas,
      password: options.withPasswords === true ? password : undefined,
      version,
    };
    const rights = grantStatements(options.role, account);
    const statements = rights.map(({ statement }) => statement);
    return { backend: name, server: `${host}:${port}`, role: options.role, statements, rights };
  });
  const text = grants.map(({ backend: name, server, rights }) => {
    const note = rights.length === 0 ? NO_ACCOUNT_NOTE : GRANTS_NOTE;
    return [`-- on ${name} (${server}), as an administrator. ${note}`, ...rights.flatMap(describeGrant)].join("\n");
  });
  print({ format: 1, grants }, text.join("\n\n"));
}

/** What an administrator of a server that somebody else runs wants to know before reading on. */
const GRANTS_NOTE =
  "Neither SUPER nor SYSTEM_USER is among them, so a managed server's administrator can run them too.";
const NO_ACCOUNT_NOTE = "Nothing: a proxy logs in as its clients do and needs no account of its own.";

function describeGrant({ statement, roles, why, optional }: GrantStatement): string[] {
  return [`-- ${roles.join(", ")}: ${why}${optional ? " (checks see less without it)" : ""}`, statement];
}

/** `8.0.34` as 80034. A release without its last number counts as its first: no server of it knows less. */
function versionOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const match = /^(\d{1,2})\.(\d{1,2})(?:\.(\d{1,2}))?/.exec(text);
  const version = Number(match?.[1] ?? 0) * 10_000 + Number(match?.[2] ?? 0) * 100 + Number(match?.[3] ?? 0);
  if (version >= OLDEST_VERSION) return version;
  throw new SwitchyardError("CLI_USAGE", {
    what: `"${text}" is not a version of MySQL that Switchyard works with`,
    fix: "Give it as the server does (`SELECT VERSION()`), for example --server-version 8.0.34; 8.0 is the oldest.",
  });
}

async function showAccounts({ config, options, tables, print }: Subject): Promise<void> {
  if (tables.length === 0) throw needsTables("--print-accounts");
  const [from, to] = ends(config, options);
  const statements = await withConnections([from, to], ([source, target]) =>
    printAccounts({
      source: new ServerView("source", from, source),
      target: new ServerView("target", to, target),
      tables,
      targetTables: "absent",
    }),
  );
  const head = `-- on ${to.name} (${to.host}:${to.port}), as an administrator`;
  const text = statements.length === 0 ? `-- nothing is missing on ${to.name}` : [head, ...statements].join("\n");
  print({ format: 1, backend: to.name, statements }, text);
}

async function showObjects({ config, options, tables, print }: Subject): Promise<void> {
  if (tables.length === 0) throw needsTables("--print-objects");
  const [from, to] = ends(config, options);
  const script = await withConnections([from, to], ([source, target]) =>
    printObjects({
      source: new ServerView("source", from, source),
      target: new ServerView("target", to, target),
      tables,
      targetTables: "present",
    }),
  );
  const { lines, leftOut, definers } = script;
  const head = [
    `-- on ${to.name} (${to.host}:${to.port}), as an administrator, once the tables have been copied and before the switch:`,
    "-- mysql --default-character-set=utf8mb4 < this",
  ];
  const notes = [...definers.map((what) => `-- definer ${what}`), ...leftOut.map((what) => `-- left out: ${what}`)];
  const body = lines.length === 0 ? [`-- nothing is missing on ${to.name}`] : [...head, ...lines];
  print({ format: 1, backend: to.name, ...script }, [...body, ...notes].join("\n"));
}

function needsTables(option: string): SwitchyardError {
  return new SwitchyardError("CLI_USAGE", {
    what: `${option} needs to know the tables`,
    fix: `Example: switchyard check ${option} --tables shop.orders,shop.items`,
  });
}

/** The two ends: as given, else the default backend and the only other one. */
function ends(config: Config, { from, to }: CheckOptions): [BackendConfig, BackendConfig] {
  const source = backendOf(config, from ?? config.default);
  const others = Object.keys(config.backends).filter((name) => name !== source.name);
  const target = to ?? (others.length === 1 ? others[0] : undefined);
  if (target === undefined || target === source.name) {
    throw new SwitchyardError("CLI_USAGE", {
      what: `the target is not clear: the configuration has the backends ${Object.keys(config.backends).join(", ")}`,
      fix: `Name one other than "${source.name}" with --to.`,
    });
  }
  return [source, backendOf(config, target)];
}

function backendOf(config: Config, name: string): BackendConfig {
  const backend = config.backends[name];
  if (backend !== undefined) return backend;
  throw new SwitchyardError("CLI_USAGE", {
    what: `there is no backend "${name}"`,
    fix: `The configuration has: ${Object.keys(config.backends).join(", ")}.`,
  });
}

/**
 * Connects to both servers for the time of `work`. A server that cannot be reached is no finding among others: its
 * error is the outcome.
 */
async function withConnections<T>(
  [from, to]: readonly [BackendConfig, BackendConfig],
  work: (connections: readonly [AdminConnection, AdminConnection]) => Promise<T>,
): Promise<T> {
  const source = await openAdmin(from);
  try {
    const target = await openAdmin(to);
    try {
      return await work([source, target]);
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}
