import { expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import type { Attempt } from "../../../src/cutover/attempt.ts";
import type { HomeSession } from "../../../src/cutover/ports.ts";
import { unlockOldHome } from "../../../src/cutover/step-release.ts";
import { DEFAULT_SWITCH_LIMITS } from "../../../src/cutover/switch-options.ts";
import type { TestServer } from "../../support/servers.ts";
import { app, closeAll, definitions, errnoOf, homeOn, waitingStatements } from "./fenced-server.ts";

const SIGNALLED = 1644;
const INTERRUPTED = 1317;
const ports = { clock: systemClock, log: silentLogger };

async function lock(session: HomeSession): Promise<void> {
  expect(await session.lock("write", 5000)).toBe(true);
}

/** Tests of statements that wait while the tables are locked, and would get past the fence. */
export function ddlBehindTheFence(server: () => TestServer): void {
  /** Statements that no trigger refuses, all sent while the tables are locked; and others, with what becomes of them after the unlock. */
  const DDL = [
    "ALTER TABLE shop.items ADD COLUMN c INT",
    "ALTER TABLE shop.parts DROP COLUMN b, ALGORITHM = COPY",
    "CREATE INDEX by_a ON shop.orders (a)",
    "RENAME TABLE shop.parts TO shop.elsewhere",
    "TRUNCATE TABLE shop.orders",
    "DROP TABLE shop.items",
    "DROP DATABASE shop",
    "CREATE TRIGGER shop.late AFTER INSERT ON shop.items FOR EACH ROW SET @late = 1",
  ];
  const NO_DDL: readonly (readonly [string, number | undefined])[] = [
    ["INSERT INTO shop.items (a) VALUES (6)", SIGNALLED],
    ["SELECT * FROM shop.parts", undefined],
    ["LOCK TABLES shop.orders READ", undefined],
    ["FLUSH TABLES shop.parts WITH READ LOCK", undefined],
  ];

  test("has DDL that waited behind it ended before it is unlocked, by name, and nothing else", async () => {
    const session = await homeOn(server()).open({ takeOver: "never" });
    await server().root("GRANT RELOAD ON *.* TO 'app'@'%'");
    const before = await definitions(server());
    await lock(session);
    const clients = await Promise.all([...DDL, ...NO_DDL].map(() => app(server(), { program_name: "ddl-tool" })));
    const told = [...DDL, ...NO_DDL.map(([sql]) => sql)].map((sql, i) =>
      errnoOf(clients[i]?.query(sql) as Promise<unknown>),
    );
    await expect.poll(() => waitingStatements(server())).toBe(clients.length);
    await session.installFences("token9");
    const notes: string[] = [];
    const ends = { migration: "m1", oldHome: "old", newHome: "new" };
    const attempt = { ports, ends, oldSession: session, options: { limits: DEFAULT_SWITCH_LIMITS }, notes };
    await unlockOldHome(attempt as unknown as Attempt);
    expect(await Promise.all(told.slice(0, DDL.length))).toEqual(DDL.map(() => INTERRUPTED));
    // Of those that lock themselves each waits for the one before.
    for (const [i, [sql, errno]] of NO_DDL.entries()) {
      expect([sql, await told[DDL.length + i]]).toEqual([sql, errno]);
      await clients[DDL.length + i]?.close();
    }
    expect(await definitions(server())).toEqual(before);
    expect(notes).toHaveLength(1);
    expect(notes[0]).toMatch(/^DDL that waited for the tables on old was ended there \(error 1317\)/);
    for (const [i] of DDL.entries()) expect(notes[0]).toContain(`connection ${clients[i]?.threadId} app@`);
    expect(notes[0]).toMatch(/\(ddl-tool\), after \d+ s: ALTER TABLE `shop` . `items` ADD COLUMN `c` INTEGER/);
    await closeAll(session, ...clients);
  });

  /**
   * 1. DDL waits for a table that the session has locked: for less, at first, than what keeps others out. 2. A controller that slept
   * wants to take the lock over, and finds that it was replaced. 3. Another takes it over.
   */
  test("does not pass to DDL that has waited for longer than its successor, which ends it; one that was replaced does not", async () => {
    const session = await homeOn(server()).open({ takeOver: "never" });
    const before = await definitions(server());
    await lock(session);
    const client = await app(server());
    const told = errnoOf(client.query("ALTER TABLE shop.orders ADD COLUMN c INT"));
    await expect.poll(() => waitingStatements(server())).toBe(1);
    let asked = 0;
    const stillOurs = async (): Promise<void> => {
      asked += 1;
      if (asked > 1) throw new Error("replaced");
    };
    await expect(homeOn(server()).open({ takeOver: "keep-lock", stillOurs })).rejects.toThrow("replaced");
    expect(await session.waitingDdl()).toMatchObject([{ connectionId: String(client.threadId) }]);
    const ended: string[] = [];
    const successor = await homeOn(server()).open({
      takeOver: "keep-lock",
      ddlEnded: (those) => ended.push(...those.map(({ statement }) => statement)),
    });
    expect(await told).toBe(INTERRUPTED);
    expect(ended).toEqual([expect.stringMatching(/^ALTER TABLE `shop` . `orders`/)]);
    await successor.prove();
    await successor.unlock();
    expect(await definitions(server())).toEqual(before);
    await closeAll(successor, session, client);
  });
}
