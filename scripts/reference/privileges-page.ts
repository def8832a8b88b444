import { GRANT_ROLES, NEWEST_VERSION, REQUIREMENTS, type Requirement } from "../../src/preflight/requirements.ts";
import { code, markdownTable, page } from "./markdown.ts";

const ROLES_ABOUT: Readonly<Record<(typeof GRANT_ROLES)[number], string>> = {
  "source-reader": "Copies from a server and follows its binary log.",
  "target-writer": "Makes the tables on a server and applies to them what the stream brings.",
  fence:
    "Locks the tables of a home during a switch, ends connections that stand in its way, keeps writers off afterwards.",
  diff: "Reads all rows of both sides at one moment.",
  proxy: "Relays clients. It logs in as they do and needs no account of its own.",
  check: "Looks at both servers before a migration and before each switch.",
  serve: "All of these, as the one account of each backend in the configuration does.",
};

/** What Switchyard's accounts may do and why, from the list that `check --print-grants` prints from. */
export function privilegesPage(): string {
  const rows = REQUIREMENTS.map((requirement) => [
    requirement.privileges.map(code).join(", "),
    objectOf(requirement),
    requirement.roles.join(", "),
    `${requirement.why}${requirement.optional === true ? " (checks see less without it)" : ""}`,
    versionText(requirement.since),
  ]);
  return page(
    "Privileges",
    "`switchyard check --print-grants --tables …` prints the statements for your tables and accounts; `--role` prints those " +
      "of one role, and `--server-version` leaves out what an older release does not know. Each is needed: without it " +
      "`check` names what is missing, with the GRANT that mends it.",
    [
      `## Roles\n\n${markdownTable(
        ["role", "what it does"],
        GRANT_ROLES.map((role) => [code(role), ROLES_ABOUT[role]]),
      )}`,
      `## Rights\n\n${markdownTable(["privileges", "on", "roles", "why", "since"], rows)}`,
      "## Managed servers\n\n" +
        "Neither SUPER nor SYSTEM_USER nor the right to name other definers (SET_USER_ID, SET_ANY_DEFINER) is among them, so " +
        "an administrator who lacks these can run the statements. Where a server writes a binary log, it refuses triggers of " +
        "accounts without SUPER until its parameter `log_bin_trust_function_creators` is on; the check `trigger-privilege` " +
        "tries it. A provider that withholds CONNECTION_ADMIN keeps a switch from ending connections of others: such a switch " +
        "aborts where it would have to. Connections of accounts with SYSTEM_USER cannot be ended by Switchyard on any server; " +
        "let applications have none.",
    ],
  );
}

function objectOf({ scope }: Requirement): string {
  switch (scope.on) {
    case "server":
      return code("*.*");
    case "schemas":
      return "each schema with tables to move";
    case "schema":
      return code(`${scope.schema}.*`);
    case "table":
      return code(`${scope.schema}.${scope.table}`);
  }
}

function versionText(since: number | undefined): string {
  if (since === undefined || since === NEWEST_VERSION) return "8.0";
  return `${Math.floor(since / 10_000)}.${Math.floor(since / 100) % 100}.${since % 100}`;
}
