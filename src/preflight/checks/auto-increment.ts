import type { Check } from "../check.ts";
import { judge } from "../finding.ts";

/** Ids go on on the other server where they stopped on this one, in the same steps. */
export const autoIncrementCheck: Check = {
  id: "auto-increment",
  title: "both servers give AUTO_INCREMENT values alike",
  severities: ["error"],
  remedy: "Set `auto_increment_increment` and `auto_increment_offset` on the target to what the source has.",
  async run({ source, target }) {
    const findings = [];
    for (const name of ["auto_increment_increment", "auto_increment_offset"]) {
      const ofSource = await source.variable(name);
      const ofTarget = await target.variable(name);
      findings.push(
        judge("auto-increment", ofSource === ofTarget, {
          subject: target.subject,
          observed: `${name}=${ofTarget ?? "unknown"}`,
          expected: `${ofSource ?? "unknown"}, as on the source`,
          fix: `SET PERSIST ${name}=${ofSource ?? "1"};`,
        }),
      );
    }
    return findings;
  },
};
