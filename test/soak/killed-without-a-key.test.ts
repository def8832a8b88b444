import { afterAll, beforeAll, expect, test } from "vitest";
import type { Failpoint } from "../../src/base/failpoints.ts";
import { KilledController } from "../integration/system/killed-controller.ts";

/*
 * 1. A table without a key has rows of which many are alike, in three chunks, and clients add, change and remove some.
 * 2. The process that copies it is killed before and after the commit of a chunk: nobody can tell what of it is copied.
 * 3. The next one begins anew: what was copied must be gone, and nothing else, and changes go on top of the new copy.
 * 4. It follows, is killed before and after a commit, and each row is there as often as on the source.
 */

const PILE = "ledger.pile";
const ROWS = 1000;
const BYTES = 10_000;
const COUNTS = `SELECT a, b, SHA2(body, 256) AS body, COUNT(*) AS n FROM ${PILE} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`;
const CHANGES = `INSERT INTO ${PILE} (a) VALUES (1), (1), (2); UPDATE ${PILE} SET b = IFNULL(b, 0) + 1 WHERE a = 1 LIMIT 3; DELETE FROM ${PILE} WHERE a = 2 LIMIT 2`;
const COPYING: readonly Failpoint[] = [
  "copy-before-chunk-commit",
  "copy-after-chunk-commit",
  "copy-after-chunk-commit",
];
const FOLLOWING: readonly Failpoint[] = ["catch-up-before-commit", "catch-up-after-commit"];

let killed: KilledController;
beforeAll(async () => {
  killed = await KilledController.start();
  await killed.system.old.root(
    `CREATE TABLE ${PILE} (a INT, b INT, body VARCHAR(${BYTES}) CHARACTER SET latin1); ` +
      `INSERT INTO ${PILE} WITH RECURSIVE n AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM n WHERE n < ${ROWS}) ` +
      `SELECT n % 7, NULL, RPAD('', ${BYTES}, SHA2(n % 7, 512)) FROM n`,
  );
  await killed.begin();
}, 120_000);
afterAll(() => killed?.stop(), 60_000);

test("a table without a key whose copying process is killed has each row as often as the source", async () => {
  const { old, new: target } = killed.system;
  const changing = keepChanging();
  try {
    const create = ["migration", "create", "m", "--from", "old", "--to", "new", "--tables", PILE, "--wait"];
    await killed.killing("moving", COPYING, () => killed.succeeds(...create));
    const begun = await target.root("SELECT MAX(chunk) AS n FROM _switchyard.chunk");
    expect(Number(begun[0]?.["n"]), "beginnings of its copy").toBe(3);
    await killed.killing("moving", FOLLOWING, () => Promise.resolve());
  } finally {
    expect(await changing.stop()).toBeGreaterThan(10);
  }
  await expect.poll(() => target.root(COUNTS), { timeout: 30_000, interval: 100 }).toEqual(await old.root(COUNTS));
}, 300_000);

/** Changes the table without pause; `stop` tells how often. */
function keepChanging(): { stop(): Promise<number> } {
  let changes = 0;
  let stopped = false;
  const work = (async () => {
    for (; !stopped; changes += 1) {
      await killed.system.old.root(CHANGES);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  return {
    stop: async () => {
      stopped = true;
      await work;
      return changes;
    },
  };
}
