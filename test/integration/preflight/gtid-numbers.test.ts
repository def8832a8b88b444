import { afterAll, beforeAll, expect, test } from "vitest";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { numbersBeyond } from "../../../src/gtid/gtid-text.ts";
import { gtidCheck } from "../../../src/preflight/checks/gtid.ts";
import { fixes, PreflightServers, problems } from "./preflight-servers.ts";

// Servers of its own: the number stays in their sets.
let servers: PreflightServers;
beforeAll(async () => {
  servers = await PreflightServers.start();
});
afterAll(() => servers.stop());

const UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

const take = (on: "source" | "target", number: string): Promise<unknown> =>
  servers[on].root(`SET GTID_NEXT='${UUID}:${number}'; COMMIT; SET GTID_NEXT='AUTOMATIC'`);
async function executed(): Promise<string> {
  const [row] = await servers.source.root("SELECT @@global.gtid_executed AS executed");
  return row?.["executed"] ?? "";
}

/*
 * 1. Somebody sets gtid_next to a number that a server would reach in centuries.
 * 2. A double of JavaScript cannot hold it: it would be rounded, and a transaction skipped or taken twice.
 */
test("a server that has counted beyond what is exact is refused before anything moves", async () => {
  await take("source", "9007199254740991");
  expect(problems(await servers.run(gtidCheck))).toEqual([]);
  expect(GtidSet.parse(await executed()).toString()).toContain(`${UUID}:9007199254740991`);

  for (const number of ["9007199254740992", "9223372036854775800"]) {
    await take("source", number);
    const findings = await servers.run(gtidCheck);
    expect(problems(findings)).toEqual([
      expect.stringMatching(/^error source.*: gtid_executed has transaction number 9/),
    ]);
    expect(fixes(findings.filter(({ severity }) => severity !== "ok"))).toContain("Move from a server that has none");
  }
  const set = await executed();
  expect(numbersBeyond(set)).toEqual(["9007199254740992", "9223372036854775800"]);
  expect(() => GtidSet.parse(set)).toThrow(
    /^GTID_SET_INVALID: .*is above 9007199254740991.*Nothing was changed\..*gtid_next.*`switchyard check`/s,
  );
});
