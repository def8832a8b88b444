import { bothServers, type Check } from "../check.ts";
import { type Finding, judge } from "../finding.ts";
import type { ServerView } from "../server-view.ts";

/** A zone that every set of time zone tables has. */
const NAMED_ZONE = "Europe/Berlin";

/** Sessions see the same clock on both servers, and may name zones on the target that they may name on the source. */
export const timeZoneCheck: Check = {
  id: "time-zone",
  title: "both servers have the same time zone, and know zones by name alike",
  severities: ["error"],
  remedy: "Give both servers one `time_zone`, and load the names of zones on the target.",
  async run(context) {
    const [source, target] = await Promise.all(bothServers(context).map(zoneOf));
    const named = await Promise.all(bothServers(context).map(knowsNames));
    const findings: Finding[] = [
      judge("time-zone", source === target, {
        subject: context.target.subject,
        observed: `sessions begin in ${target}`,
        expected: `${source}, as on the source`,
        fix: `SET PERSIST time_zone to what the source has; a zone of the machine (SYSTEM) is set where the server is started.`,
      }),
      judge("time-zone", !named[0] || named[1] === true, {
        subject: context.target.subject,
        observed: named[1] ? "knows time zones by name" : "knows no time zone by name",
        expected: named[0] ? "time zone tables, as on the source" : "nothing: the source knows none either",
        fix: "Load them on the target: mysql_tzinfo_to_sql /usr/share/zoneinfo | mysql mysql",
      }),
    ];
    for (const server of bothServers(context)) findings.push(await takesUtc(server));
    return findings;
  },
};

async function zoneOf(server: ServerView): Promise<string> {
  const zone = (await server.variable("time_zone")) ?? "";
  return zone === "SYSTEM" ? `SYSTEM (${(await server.variable("system_time_zone")) ?? ""})` : zone;
}

async function knowsNames(server: ServerView): Promise<boolean> {
  const [row] = await server.rows(`SELECT CONVERT_TZ('2020-07-01 12:00:00', '+00:00', '${NAMED_ZONE}') AS moment`);
  return row?.["moment"] != null;
}

/** Streams and diffs work in UTC: TIMESTAMP values travel as they are stored. */
async function takesUtc(server: ServerView): Promise<Finding> {
  const [row] = await server.rows("SELECT CONVERT_TZ('2020-07-01 12:00:00', '+02:00', '+00:00') AS moment");
  return judge("time-zone", row?.["moment"]?.startsWith("2020-07-01 10:00:00") === true, {
    subject: server.subject,
    observed: `12:00 at +02:00 is ${row?.["moment"] ?? "nothing"} at +00:00`,
    expected: "10:00",
    fix: "The server converts between time zones wrongly; report what it is.",
  });
}
