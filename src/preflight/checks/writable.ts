import { bothServers, type Check } from "../check.ts";
import { judge } from "../finding.ts";

/** Both are homes in their turn. */
export const writableCheck: Check = {
  id: "writable",
  title: "both servers take writes",
  severities: ["error"],
  remedy: "Turn `read_only` and `super_read_only` off.",
  async run(context) {
    const findings = [];
    for (const server of bothServers(context)) {
      const on = [];
      for (const name of ["read_only", "super_read_only", "offline_mode"]) {
        if ((await server.variable(name)) === "ON") on.push(name);
      }
      findings.push(
        judge("writable", on.length === 0, {
          subject: server.subject,
          observed: on.length === 0 ? "takes writes" : `${on.join(" and ")} ${on.length === 1 ? "is" : "are"} ON`,
          expected: "read_only, super_read_only and offline_mode OFF",
          fix: on.map((name) => `SET PERSIST ${name}=OFF;`).join(" "),
        }),
      );
    }
    return findings;
  },
};
