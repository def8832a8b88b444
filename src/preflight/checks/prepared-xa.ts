import { bothServers, type Check } from "../check.ts";
import { judge } from "../finding.ts";

/** A prepared distributed transaction keeps its locks over any restart, and its rows come much later than its GTID. */
export const preparedXaCheck: Check = {
  id: "prepared-xa",
  title: "no distributed transaction is prepared and undecided",
  severities: ["error"],
  remedy: "Let the transaction's coordinator decide it, or end it by hand.",
  async run(context) {
    const findings = [];
    for (const server of bothServers(context)) {
      const rows = await server.rows("XA RECOVER CONVERT XID");
      findings.push(
        judge("prepared-xa", rows.length === 0, {
          subject: server.subject,
          observed: rows.length === 0 ? "none is prepared" : `prepared: ${rows.map((row) => row["data"]).join(", ")}`,
          expected: "XA RECOVER shows nothing",
          fix: "Let its coordinator decide it, or end it by hand: XA COMMIT xid; or XA ROLLBACK xid;",
        }),
      );
    }
    return findings;
  },
};
