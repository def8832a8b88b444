import { bothServers, type Check } from "../check.ts";
import { type Finding, judge } from "../finding.ts";
import type { ServerView } from "../server-view.ts";

/** Two servers, each itself, and neither fed by the other. */
export const serverIdentityCheck: Check = {
  id: "server-identity",
  title: "source and target are two servers, and neither replicates from the other",
  severities: ["error"],
  remedy: "Give each server its own `server_uuid` and `server_id`, and end replication between them.",
  async run(context) {
    const { source, target } = context;
    const uuids = await Promise.all(bothServers(context).map((server) => server.variable("server_uuid")));
    const ids = await Promise.all(bothServers(context).map((server) => server.variable("server_id")));
    const findings: Finding[] = [
      judge("server-identity", uuids[0] !== uuids[1], {
        subject: "both servers",
        observed: `server_uuid ${uuids.join(" and ")}`,
        expected: "two different servers",
        fix: "Point the backends to different servers. After copying a data directory, remove its auto.cnf and restart.",
      }),
      judge("server-identity", ids[0] !== ids[1] && !ids.includes("0"), {
        subject: "both servers",
        observed: `server_id ${ids.join(" and ")}`,
        expected: "different numbers, neither of them 0",
        fix: "SET PERSIST server_id to a number of its own on one of them.",
      }),
    ];
    findings.push(await notFedBy(target, source, uuids[0] ?? ""));
    findings.push(await notFedBy(source, target, uuids[1] ?? ""));
    for (const server of bothServers(context)) findings.push(await logsWhatItReplicates(server));
    return findings;
  },
};

async function channels(server: ServerView): Promise<{ channel: string; uuid: string }[]> {
  const rows = await server.rows(
    "SELECT CHANNEL_NAME channel, SOURCE_UUID uuid FROM performance_schema.replication_connection_status",
  );
  return rows.map((row) => ({ channel: row["channel"] ?? "", uuid: row["uuid"] ?? "" }));
}

/** Rows would come twice: by replication and by the stream. */
async function notFedBy(server: ServerView, other: ServerView, uuid: string): Promise<Finding> {
  const fed = (await channels(server)).filter((channel) => channel.uuid === uuid);
  return judge("server-identity", fed.length === 0, {
    subject: server.subject,
    observed: fed.length === 0 ? `does not replicate from ${other.subject}` : `replicates from ${other.subject}`,
    expected: "no replication between the two",
    fix: "STOP REPLICA; RESET REPLICA ALL; on it, or choose another server.",
  });
}

/** A replica that does not log what it applies would show a stream nothing. */
async function logsWhatItReplicates(server: ServerView): Promise<Finding> {
  const replica = (await channels(server)).length > 0;
  const logs = (await server.variable("log_replica_updates")) ?? (await server.variable("log_slave_updates"));
  return judge("server-identity", !replica || logs === "ON", {
    subject: server.subject,
    observed: replica ? `is a replica, with log_replica_updates=${logs ?? "unknown"}` : "is no replica",
    expected: "a server that logs all its changes",
    fix: "Start the server with --log-replica-updates.",
  });
}
