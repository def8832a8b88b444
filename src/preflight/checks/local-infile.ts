import type { Check } from "../check.ts";
import { judge } from "../finding.ts";

/** The copy streams rows into LOAD DATA LOCAL, which a server may forbid. */
export const localInfileCheck: Check = {
  id: "local-infile",
  title: "the target takes LOAD DATA LOCAL",
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
