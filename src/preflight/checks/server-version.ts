import { bothServers, type Check } from "../check.ts";
import { judge } from "../finding.ts";
import { OLDEST_VERSION } from "../requirements.ts";

/** MySQL from 8.0 on; moving to an older release than the source's is for a person to decide. */
export const serverVersionCheck: Check = {
  id: "server-version",
  title: "both servers are MySQL 8.0 or later",
  severities: ["error", "warning"],
  remedy: "Move between servers of MySQL 8.0 or later, to a release that is not older.",
  async run(context) {
    const findings = bothServers(context).map((server) => {
      const text = server.connection.serverVersion;
      const good = server.version >= OLDEST_VERSION && !/mariadb/i.test(text);
      return judge("server-version", good, {
        subject: server.subject,
        observed: text,
        expected: "MySQL 8.0 or later",
        fix: "Move between MySQL servers of release 8.0 or later.",
      });
    });
    const { source, target } = context;
    const older = Math.floor(target.version / 100) < Math.floor(source.version / 100);
    if (!older) return findings;
    return [
      ...findings,
      judge(
        "server-version",
        false,
        {
          subject: target.subject,
          observed: `${target.connection.serverVersion}, while the source has ${source.connection.serverVersion}`,
          expected: "a release not older than the source's",
          fix: "Make sure that the applications use nothing that the older release lacks.",
        },
        "warning",
      ),
    ];
  },
};
