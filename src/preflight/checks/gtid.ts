import { bothServers, type Check } from "../check.ts";
import { judge } from "../finding.ts";

/** Positions are sets of GTIDs: both servers must give every transaction one. */
export const gtidCheck: Check = {
  id: "gtid",
  title: "every transaction has a GTID",
  severities: ["error"],
  remedy: "Turn `enforce_gtid_consistency` and `gtid_mode` on, step by step.",
  async run(context) {
    const findings = [];
    for (const server of bothServers(context)) {
      const mode = await server.variable("gtid_mode");
      const consistency = await server.variable("enforce_gtid_consistency");
      findings.push(
        judge("gtid", mode === "ON" && consistency === "ON", {
          subject: server.subject,
          observed: `gtid_mode=${mode ?? "unknown"}, enforce_gtid_consistency=${consistency ?? "unknown"}`,
          expected: "gtid_mode=ON, enforce_gtid_consistency=ON",
          fix:
            "Turn both on, step by step: SET PERSIST enforce_gtid_consistency=ON; SET PERSIST gtid_mode=OFF_PERMISSIVE; " +
            "SET PERSIST gtid_mode=ON_PERMISSIVE; SET PERSIST gtid_mode=ON;",
        }),
      );
    }
    return findings;
  },
};
