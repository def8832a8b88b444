import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Stage } from "./switch/stage.ts";
import { soak } from "./switch-soak.ts";

test("a minute of switches and rollbacks under clients of every kind loses nothing, doubles nothing and tells no error", async () => {
  expect(await soak.run(["--cycles", "8", "--verify", "4"])).toBe(0);
});

describe("what says that a soak of switches has found nothing", () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.start({ clients: 16, thinkMs: 100, leaseTtlMs: 2000, seed: 1, links: false });
    // Before the first move, after which fences would refuse to do damage.
    for (const client of [0, 12]) {
      await vi.waitFor(() => expect(stage.clients.ledger.writesOf(client)[0]?.state).toBe("acknowledged"), 10_000);
    }
    expect(await stage.verify()).toEqual([]);
  }, 120_000);
  afterAll(() => stage?.stop(), 60_000);

  /** Nobody writes meanwhile: what scans the tables would have a client told of a deadlock. */
  async function quietly(home: "old" | "new", sql: string): Promise<void> {
    const all = [stage.clients, ...Object.values(stage.bypasses)];
    await Promise.all(all.map((one) => one.pause()));
    await stage.system[home].root(sql).finally(() => {
      for (const one of all) one.resume();
    });
  }

  /** Changes rows behind the back of everybody, and what is found then; takes it back afterwards. */
  async function found(homes: readonly ("old" | "new")[], damage: string, repair: string): Promise<string> {
    for (const home of homes) await quietly(home, `SET sql_log_bin = 0; ${damage}`);
    const findings = await stage.verify({ levelWithinMs: 500 });
    for (const home of homes) await quietly(home, `SET sql_log_bin = 0; ${repair}`);
    return findings.join("\n");
  }

  const FIRST = "client = 0 AND sequence = 1";
  const BOTH = ["old", "new"] as const;
  test.each([
    [
      "a write that is lost on both homes",
      BOTH,
      `CREATE TABLE ledger.kept SELECT * FROM ledger.entry WHERE ${FIRST}; DELETE FROM ledger.entry WHERE ${FIRST}`,
      "INSERT INTO ledger.entry SELECT * FROM ledger.kept; DROP TABLE ledger.kept",
      "old: client 0, write 1 (acknowledged): 0 of its 1 rows are there",
    ],
    [
      "a write that is on both homes twice",
      BOTH,
      `INSERT INTO ledger.entry SELECT -1, client, sequence, part, note FROM ledger.entry WHERE ${FIRST}`,
      "DELETE FROM ledger.entry WHERE id = -1",
      "old: client 0, write 1 (acknowledged): 1 of its 1 rows are there twice",
    ],
    [
      "a half of a write",
      BOTH,
      "UPDATE ledger.entry SET sequence = 1000000 WHERE client = 12 AND sequence = 1 AND part = 3",
      "UPDATE ledger.entry SET sequence = 1 WHERE sequence = 1000000",
      "old: client 12, write 1 (acknowledged): 4 of its 5 rows are there",
    ],
    [
      "a row that nobody has sent",
      BOTH,
      "INSERT INTO ledger.entry VALUES (-2, 999, 7, 1, 'made up')",
      "DELETE FROM ledger.entry WHERE id = -2",
      "new: no client has sent client 999, write 7, part 1",
    ],
    [
      "a row that differs on one home",
      ["new"],
      `UPDATE ledger.entry SET note = 'otherwise' WHERE ${FIRST}`,
      `UPDATE ledger.entry SET note = 'autocommit' WHERE ${FIRST}`,
      "0 1 1 otherwise",
    ],
    [
      "a counter that has one too many",
      BOTH,
      "UPDATE ledger.counter SET n = 1 WHERE client = 0",
      "UPDATE ledger.counter SET n = 0 WHERE client = 0",
      "old: counter of client 0 is 1, 0 writes count",
    ],
  ] as const)("finds %s", async (_, homes, damage, repair, finding) => {
    expect(await found(homes, damage, repair)).toContain(finding);
    expect(await stage.verify()).toEqual([]);
  });

  test("finds a write that came twice and went, of which only the logs tell", async () => {
    const again = `INSERT INTO ledger.entry SELECT -3, client, sequence, part, note FROM ledger.entry WHERE ${FIRST}`;
    await quietly("old", again);
    await stage.verify();
    await quietly("old", "DELETE FROM ledger.entry WHERE id = -3");
    const findings = await stage.verify();
    expect(findings).toContain("log of old: client 0, write 1, part 1 was deleted, by no client");
    expect(findings).toContain("log of new: client 0, write 1, part 1 was deleted, by no client");
  });

  test("finds that a client was told an error, but for those that are excused, which a wrong read is not", async () => {
    const { old } = stage.system;
    const { clients } = stage;
    const soon = { timeout: 20_000, interval: 20 };
    const killUntil = (isEnough: () => boolean): Promise<boolean> =>
      vi.waitUntil(async () => {
        for (const row of await old.root("SELECT id FROM information_schema.processlist WHERE user = 'app'")) {
          await old.root(`KILL ${row["id"]}`).catch(() => undefined);
        }
        return isEnough();
      }, soon);
    await killUntil(() => clients.errors.length > 0);
    const unexcuse = clients.excuse(() => true);
    expect((await stage.verify()).join()).toContain("a client was told an error");
    await killUntil(() => clients.excused > 0);
    expect(clients.errors).toEqual([]);
    await old.root(
      "SET sql_log_bin = 0; CREATE TRIGGER ledger.wrong BEFORE INSERT ON ledger.entry FOR EACH ROW SET NEW.sequence = 0",
    );
    await vi.waitUntil(() => clients.errors.length > 0, soon);
    expect(clients.errors[0]?.text).toMatch(/^client \d+ reads .* where it has just written/);
    unexcuse();
  });
});
