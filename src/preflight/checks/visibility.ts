import { SIDECAR_SCHEMA } from "../../rules/sidecar-schema.ts";
import type { Check } from "../check.ts";
import { judge } from "../finding.ts";

const SERVER_SCHEMAS = ["information_schema", "performance_schema", "mysql", "sys", SIDECAR_SCHEMA];
const NEEDED = ["TRIGGER", "EVENT", "SHOW VIEW", "SELECT"];

/** The checks of triggers, views and events see only what the account may see; say where they are blind. */
export const visibilityCheck: Check = {
  id: "visibility",
  title: "the account sees the triggers, views and events of every schema",
  severities: ["warning"],
  remedy: "Make sure that no other schema uses the tables, or grant what lets the account look.",
  async run({ source, tables }) {
    const rows = await source.rows("SELECT SCHEMA_NAME name FROM information_schema.SCHEMATA");
    const privileges = await source.privileges();
    const own = new Set(tables.map(({ schema }) => schema));
    const hidden = rows
      .map((row) => row["name"] ?? "")
      .filter((schema) => !SERVER_SCHEMAS.includes(schema) && !own.has(schema))
      .filter((schema) => !NEEDED.every((privilege) => privileges.onSchema(privilege, schema)));
    const seesNames = privileges.global("SHOW DATABASES");
    return [
      judge(
        "visibility",
        hidden.length === 0 && seesNames,
        {
          subject: source.subject,
          observed:
            hidden.length === 0
              ? "all schemas that can be seen are looked into"
              : `not looked into: ${hidden.join(", ")}`,
          expected: "no view, trigger or event of another schema uses the tables",
          fix:
            "Make sure of it yourself, or let the account look: " +
            `${seesNames ? "" : "GRANT SHOW DATABASES ON *.* TO …; "}GRANT ${NEEDED.join(", ")} ON ${hidden[0] === undefined ? "schema" : `\`${hidden[0]}\``}.* TO …;`,
        },
        "warning",
      ),
    ];
  },
};
