import { bothServers, type Check } from "../check.ts";
import { judge } from "../finding.ts";

const HOUR = 3600;
/** Two copy cycles of the default length: with less, the log may be gone before a cycle has read it. */
const SHORTEST_SECONDS = 2 * HOUR;
const COMFORTABLE_SECONDS = 24 * HOUR;

/** The log must be there when a stream comes back to it, and must never lose what a stream has seen. */
export const binlogRetentionCheck: Check = {
  id: "binlog-retention",
  title: "the binary log is kept, and kept safe",
  severities: ["error", "warning"],
  remedy: "Keep a week of binary logs (`binlog_expire_logs_seconds`) and set `sync_binlog=1`.",
  async run(context) {
    const findings = [];
    for (const server of bothServers(context)) {
      const purge = (await server.variable("binlog_expire_logs_auto_purge")) !== "OFF";
      const seconds = Number((await server.variable("binlog_expire_logs_seconds")) ?? "0");
      const forever = !purge || seconds === 0;
      findings.push(
        judge(
          "binlog-retention",
          forever || seconds >= COMFORTABLE_SECONDS,
          {
            subject: server.subject,
            observed: forever ? "never purged by age" : `purged after ${seconds} s`,
            expected: `kept for at least ${COMFORTABLE_SECONDS} s (${SHORTEST_SECONDS} s at the very least)`,
            fix: `SET PERSIST binlog_expire_logs_seconds=${7 * 24 * HOUR};`,
          },
          seconds < SHORTEST_SECONDS ? "error" : "warning",
        ),
      );
      const sync = await server.variable("sync_binlog");
      findings.push(
        judge("binlog-retention", sync === "1", {
          subject: server.subject,
          observed: `sync_binlog=${sync ?? "unknown"}`,
          expected:
            "sync_binlog=1: else a crash takes back transactions that a stream has copied, and gives their GTIDs to others",
          fix: "SET PERSIST sync_binlog=1;",
        }),
      );
    }
    return findings;
  },
};
