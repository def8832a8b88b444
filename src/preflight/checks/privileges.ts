import { bothServers, type Check } from "../check.ts";
import { type Finding, judge } from "../finding.ts";
import { accountName, grantObjects } from "../grants.ts";
import type { Privileges } from "../privileges.ts";
import { type Requirement, requirementsOf } from "../requirements.ts";
import type { ServerView } from "../server-view.ts";

/** The account of each backend is used for everything there, since each server is home in its turn. */
export const privilegesCheck: Check = {
  id: "privileges",
  title: "the accounts have the privileges that Switchyard needs",
  severities: ["error", "warning"],
  remedy: "Run the GRANT that is printed.",
  async run(context) {
    const schemas = [...new Set(context.tables.map(({ schema }) => schema))].sort();
    const findings: Finding[] = [];
    for (const server of bothServers(context)) findings.push(...(await look(server, schemas)));
    return findings;
  },
};

async function look(server: ServerView, schemas: readonly string[]): Promise<Finding[]> {
  const privileges = await server.privileges();
  const exact = (await server.variable("partial_revokes")) === "ON";
  const account = await accountOf(server);
  const findings: Finding[] = [];
  for (const requirement of requirementsOf("serve", server.version)) {
    const missing = requirement.privileges.filter((privilege) => !holds(privileges, privilege, requirement, schemas));
    if (missing.length === 0) continue;
    const objects = grantObjects(requirement, schemas, exact);
    findings.push(
      judge(
        "privileges",
        false,
        {
          subject: `${account} on ${server.subject}`,
          observed: `lacks ${missing.join(", ")} on ${objects.join(", ")}`,
          expected: `these, ${requirement.why}`,
          fix: objects.map((object) => `GRANT ${missing.join(", ")} ON ${object} TO ${account};`).join(" "),
        },
        requirement.optional === true ? "warning" : "error",
      ),
    );
  }
  if (findings.length > 0) return findings;
  return [
    judge("privileges", true, {
      subject: `${account} on ${server.subject}`,
      observed: "has all that are needed",
      expected: "what check --print-grants prints",
      fix: "",
    }),
  ];
}

async function accountOf(server: ServerView): Promise<string> {
  const [row] = await server.rows("SELECT CURRENT_USER() AS account");
  const text = row?.["account"] ?? "";
  const at = text.lastIndexOf("@");
  return accountName({ user: text.slice(0, at), host: text.slice(at + 1) });
}

function holds(privileges: Privileges, privilege: string, { scope }: Requirement, schemas: readonly string[]): boolean {
  switch (scope.on) {
    case "server":
      return privileges.global(privilege);
    case "schemas":
      return schemas.every((schema) => privileges.onSchema(privilege, schema));
    case "schema":
      return privileges.onSchema(privilege, scope.schema);
    case "table":
      return privileges.onTable(privilege, scope.schema, scope.table);
  }
}
