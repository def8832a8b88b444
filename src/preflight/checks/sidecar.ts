import { SIDECAR_FORMAT, SIDECAR_SCHEMA, SIDECAR_TABLES_SQL, sidecarFormats } from "../../rules/sidecar-schema.ts";
import { bothServers, type Check } from "../check.ts";
import { judge } from "../finding.ts";

/** A newer version's ledger must not be written to by this one: what it means may have changed. */
export const sidecarCheck: Check = {
  id: "sidecar",
  title: `the schema ${SIDECAR_SCHEMA} is not there, or of a format that this version knows`,
  severities: ["error"],
  remedy: "Run the version of Switchyard that made the schema, or a newer one.",
  async run(context) {
    const findings = [];
    for (const server of bothServers(context)) {
      const formats = sidecarFormats(await server.rows(SIDECAR_TABLES_SQL));
      const strange = [...formats].filter(([, format]) => !(format <= SIDECAR_FORMAT));
      findings.push(
        judge("sidecar", strange.length === 0, {
          subject: server.subject,
          observed: strange.length === 0 ? `${formats.size} tables, all known` : strange.map(describe).join(", "),
          expected: `no table in ${SIDECAR_SCHEMA} but those of format ${SIDECAR_FORMAT} or older`,
          fix: "Run the version of Switchyard that made the schema, or a newer one; a schema of somebody else's must get another name.",
        }),
      );
    }
    return findings;
  },
};

function describe([table, format]: readonly [string, number]): string {
  return `${SIDECAR_SCHEMA}.${table} is ${Number.isNaN(format) ? "not a table of Switchyard" : `of format ${format}`}`;
}
