import { isMysqlError } from "../../mysql/mysql-error.ts";
import {
  ACCOUNTS_MAX,
  type Account,
  type AccountGrants,
  keyOf,
  missingAccess,
  readAccounts,
  readGrants,
  usersOf,
} from "../accounts.ts";
import type { Check, CheckContext } from "../check.ts";
import { type Finding, judge } from "../finding.ts";
import { accountName } from "../grants.ts";

const LOCAL_HOSTS: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "::1"]);

/** Whoever may use the tables on the source must be able to log in on the target, and may do the same there. */
export const accountsCheck: Check = {
  id: "accounts",
  title: "every account that may use the tables exists on the target with the same rights",
  severities: ["error", "warning"],
  remedy: "Run what `check --print-accounts` prints on the target.",
  async run(context) {
    let compared: readonly ComparedAccount[];
    try {
      compared = await compareAccounts(context);
    } catch (error) {
      if (!isMysqlError(error)) throw error;
      return [
        judge(
          "accounts",
          false,
          {
            subject: "both servers",
            observed: `not compared: ${error.serverMessage}`,
            expected: "the accounts of the source, with the same rights, on the target",
            fix: "Grant what check --print-grants prints, or compare the accounts yourself.",
          },
          "warning",
        ),
      ];
    }
    const plugins = await activePlugins(context);
    const findings = compared.flatMap((account) => judgeAccount(account, context, plugins));
    if (findings.length > 0) return findings;
    return [
      judge("accounts", true, {
        subject: context.target.subject,
        observed: `${compared.length} accounts may use the tables, all of them there`,
        expected: "the same accounts with the same rights",
        fix: "",
      }),
    ];
  },
};

interface ComparedAccount {
  readonly source: AccountGrants;
  readonly target: AccountGrants | undefined;
}

/** The statements that bring the accounts of the target up to those of the source; empty where nothing is missing. */
export async function printAccounts(context: CheckContext): Promise<readonly string[]> {
  const statements: string[] = [];
  const later: string[] = [];
  for (const { source, target } of await compareAccounts(context)) {
    const missing = missingAccess(source, target, context.tables);
    for (const statement of missing?.statements ?? []) {
      (statement.startsWith("CREATE USER") ? statements : later).push(statement);
    }
  }
  return [...statements, ...later];
}

async function compareAccounts({ source, target, tables }: CheckContext): Promise<readonly ComparedAccount[]> {
  const accounts = (await readAccounts(source)).slice(0, ACCOUNTS_MAX);
  const users = usersOf(await readGrants(source, accounts), tables);
  const names = new Set(users.map(({ account }) => keyOf(account)));
  const there = (await readAccounts(target)).filter((account) => names.has(keyOf(account)));
  const known = new Map((await readGrants(target, there)).map((grants) => [keyOf(grants.account), grants]));
  return users.map((user) => ({ source: user, target: known.get(keyOf(user.account)) }));
}

async function activePlugins({ target }: CheckContext): Promise<ReadonlySet<string>> {
  const rows = await target.rows(
    "SELECT PLUGIN_NAME name FROM information_schema.PLUGINS WHERE PLUGIN_TYPE = 'AUTHENTICATION' AND PLUGIN_STATUS = 'ACTIVE'",
  );
  return new Set(rows.map((row) => row["name"] ?? ""));
}

function judgeAccount(
  { source, target }: ComparedAccount,
  context: CheckContext,
  plugins: ReadonlySet<string>,
): Finding[] {
  const subject = `account ${accountName(source.account)}`;
  const findings: Finding[] = [];
  const missing = missingAccess(source, target, context.tables);
  if (missing !== undefined) {
    findings.push(
      judge(
        "accounts",
        false,
        {
          subject,
          observed: `${missing.what} on ${context.target.subject}`,
          expected: "the same rights on the tables",
          fix: missing.statements.join(" "),
        },
        isLocal(source.account) ? "warning" : "error",
      ),
    );
  }
  if (!plugins.has(source.account.plugin) && !isLocal(source.account)) {
    findings.push(
      judge("accounts", false, {
        subject,
        observed: `logs in by ${source.account.plugin}, which ${context.target.subject} does not have`,
        expected: "a way to log in that both servers have",
        fix: `ALTER USER ${accountName(source.account)} IDENTIFIED WITH caching_sha2_password BY '<its password>';`,
      }),
    );
  }
  if (target !== undefined) findings.push(...judgeLogin(source.account, target.account, subject));
  findings.push(...judgeHost(source.account, subject));
  return findings;
}

function judgeLogin(source: Account, target: Account, subject: string): Finding[] {
  const closed = (target.locked && !source.locked) || (target.expired && !source.expired);
  if (closed) {
    return [
      judge("accounts", false, {
        subject,
        observed: target.locked ? "is locked on the target" : "has an expired password on the target",
        expected: "a login that works on both servers",
        fix: `ALTER USER ${accountName(source)} ${target.locked ? "ACCOUNT UNLOCK" : "PASSWORD EXPIRE NEVER"};`,
      }),
    ];
  }
  if (isLocal(source) || (source.plugin === target.plugin && source.hash === target.hash)) return [];
  return [
    judge(
      "accounts",
      false,
      {
        subject,
        observed:
          source.plugin === target.plugin
            ? "has another password hash on the target, which may be of the same password"
            : `logs in by ${source.plugin} on the source and by ${target.plugin} on the target`,
        expected: "the same password on both servers",
        fix: `Make sure of it, or take over the hash: ALTER USER ${accountName(source)} IDENTIFIED WITH '${source.plugin}' AS 0x${source.hash};`,
      },
      "warning",
    ),
  ];
}

/** An account of the server's own machine: it is for people there, and no client behind a proxy has it. */
function isLocal(account: Account): boolean {
  return LOCAL_HOSTS.has(account.host);
}

/** Behind a proxy the server sees the proxy's address, not the client's. */
function judgeHost(account: Account, subject: string): Finding[] {
  if (account.host === "%" || account.locked || isLocal(account)) return [];
  return [
    judge(
      "accounts",
      false,
      {
        subject,
        observed: `may log in from ${account.host} only`,
        expected: "an account that may log in from the proxy's address",
        fix: `If clients of this account come through the proxy: RENAME USER ${accountName(account)} TO an account whose host matches the proxy, on both servers.`,
      },
      "warning",
    ),
  ];
}
