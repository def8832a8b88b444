import { GTID_NUMBER_MAX, numbersBeyond } from "../../gtid/gtid-text.ts";
import { bothServers, type Check } from "../check.ts";
import { type Finding, judge } from "../finding.ts";
import type { ServerView } from "../server-view.ts";

const REMEDY_NUMBER =
  "A GTID with such a number was set by hand (gtid_next). Move from a server that has none; its set can be emptied only " +
  "together with its binary log (RESET BINARY LOGS AND GTIDS), which ends every replica of it.";

/** Positions are sets of GTIDs: both servers must give every transaction one, and count so that it can be read exactly. */
export const gtidCheck: Check = {
  id: "gtid",
  title: "every transaction has a GTID",
  severities: ["error"],
  remedy:
    "Turn `enforce_gtid_consistency` and `gtid_mode` on, step by step. A server with a transaction number above 2^53 - 1 " +
    "cannot be followed.",
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
        await numbers(server),
      );
    }
    return findings;
  },
};

async function numbers(server: ServerView): Promise<Finding> {
  const executed = (await server.variable("gtid_executed")) ?? "";
  const [beyond] = numbersBeyond(executed);
  return judge("gtid", beyond === undefined, {
    subject: server.subject,
    observed:
      beyond === undefined ? "every number can be read exactly" : `gtid_executed has transaction number ${beyond}`,
    expected: `gtid_executed with no number above ${GTID_NUMBER_MAX}`,
    fix: REMEDY_NUMBER,
  });
}
