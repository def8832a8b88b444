import type { Check } from "../check.ts";
import { judge } from "../finding.ts";

/** The copy streams rows into LOAD DATA LOCAL, which a server may forbid. */
export const localInfileCheck: Check = {
  id: "local-infile",
  title: "the target takes LOAD DATA LOCAL",
  severities: ["error"],
  remedy: "Set `local_infile=ON` on the target for the time of the copy.",
  async run({ target }) {
    const value = await target.variable("local_infile");
    return [
      judge("local-infile", value === "ON", {
        subject: target.subject,
        observed: `local_infile=${value ?? "unknown"}`,
        expected: "local_infile=ON while rows are copied",
        fix: "SET GLOBAL local_infile=ON; it can be turned off again when the copy is done.",
      }),
    ];
  },
};
