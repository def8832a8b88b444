import { describe, expect, test } from "vitest";
import {
  createTriggers,
  dropTrigger,
  fencesOf,
  guardLock,
  isGuarded,
  readTriggers,
  triggerUserOf,
} from "../../../src/cutover/fence-triggers.ts";
import { lockName } from "../../../src/cutover/migration-lock.ts";
import { isOurDdl } from "../../../src/replication/sidecar.ts";
import { fc } from "../../support/seeded-properties.ts";

const identifier = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 64 })
  .filter((text) => !/[.\0]/.test(text) && text.trim() === text);
const migrationId = fc.stringMatching(/^[a-z][a-z0-9-]{0,39}$/);

/** The names of the triggers that statements make. */
const namesOf = (statements: readonly string[]): readonly string[] =>
  statements.map((sql) => /\.`(switchyard_[^`]+)` BEFORE/.exec(sql)?.[1] ?? "");

describe("the triggers of a fence", () => {
  test("have names that a server takes, and that no two tables or kinds share", () => {
    fc.assert(
      fc.property(migrationId, identifier, identifier, identifier, (migration, schema, one, other) => {
        fc.pre(one !== other);
        const fence = { migration, token: "t", ownUser: "u" };
        const names = [one, other].flatMap((table) =>
          (["fence", "guard"] as const).flatMap((kind) => namesOf(createTriggers(`${schema}.${table}`, kind, fence))),
        );
        expect(names.every((name) => name.length > 0 && name.length <= 64)).toBe(true);
        expect(new Set(names).size).toBe(12);
      }),
      { numRuns: 200 },
    );
  });

  test("say whom they let write, in our text and in that of the information schema", () => {
    for (const guardUntilUnixSeconds of [undefined, 1_800_000_000]) {
      const definition = { migration: "m", token: "x", ownUser: "o'ther", guardUntilUnixSeconds };
      const [sent = ""] = createTriggers("s.t", "guard", definition);
      expect(triggerUserOf(sent)).toBe("o'ther");
    }
    // As MySQL 9.7 has shown one.
    const shown =
      "BEGIN /* switchyard migration=m token=x */ IF CAST(LEFT(USER(), 1) AS BINARY) <> CAST( 0x6f2774686572 AS BINARY) THEN";
    expect(triggerUserOf(shown)).toBe("o'ther");
    expect(triggerUserOf("BEGIN END")).toBeUndefined();
  });

  test("say why they refuse in no more characters than a server takes, however long a table's name is", () => {
    const definition = { migration: "m", token: "x", ownUser: "u", guardUntilUnixSeconds: 1_800_000_000 };
    for (const kind of ["fence", "guard"] as const) {
      const [sent = ""] = createTriggers(`s.${"t".repeat(64)}`, kind, definition);
      const messages = [...sent.matchAll(/MESSAGE_TEXT = _utf8mb4 ?0x([0-9a-f]+);/gi)].map(([, hex]) => hex ?? "");
      expect(messages).toHaveLength(kind === "fence" ? 1 : 2);
      for (const hex of messages) expect(Buffer.from(hex, "hex").toString("utf8").length).toBeLessThanOrEqual(128);
    }
  });

  test("the longest name of a migration leaves locks that a server takes", () => {
    const id = `a${"9".repeat(39)}`;
    expect(lockName(id).length).toBeLessThanOrEqual(64);
    expect(guardLock(id).length).toBeLessThanOrEqual(64);
  });

  test("are told from each other, and counted complete only when all three stand", () => {
    const row = (suffix: string, token: string): Record<string, string> => ({
      db: "shop",
      name: `switchyard_m_0a1b2c3d_${suffix}`,
      table_db: "shop",
      table_name: "items",
      body: `BEGIN /* switchyard migration=m token=${token} */ IF`,
    });
    const two = readTriggers([row("i", "t1"), row("u", "t1"), row("gi", "t2"), row("gu", "t2"), row("gd", "t2")]);
    expect(fencesOf(two)).toEqual([{ table: "shop.items", token: "t1", complete: false }]);
    expect(isGuarded(two, "shop.items")).toBe(true);
    expect(isGuarded(two, "shop.items", "t2")).toBe(true);
    expect(isGuarded(two, "shop.items", "t1")).toBe(false);
    const three = readTriggers([row("i", "t1"), row("u", "t1"), row("d", "t1")]);
    expect(fencesOf(three)).toEqual([{ table: "shop.items", token: "t1", complete: true }]);
    expect(isGuarded(three, "shop.items")).toBe(false);
  });

  test("are known as ours by the streams, as sent and as the server writes them into its log", () => {
    for (const kind of ["fence", "guard"] as const) {
      const definition = { migration: "m", token: "t", ownUser: "u", guardUntilUnixSeconds: 1_800_000_000 };
      for (const sql of createTriggers("shop.items", kind, definition)) {
        expect(isOurDdl(sql)).toBe(true);
        expect(isOurDdl(sql.replace(/^\/\*.*?\*\/ CREATE TRIGGER/, "CREATE DEFINER=`a b`@`%` TRIGGER"))).toBe(true);
      }
    }
    const trigger = {
      schema: "shop",
      name: "switchyard_m_0a1b2c3d_i",
      table: "shop.items",
      token: "t",
      kind: "fence",
    } as const;
    expect(isOurDdl(dropTrigger(trigger, "m", "t"))).toBe(true);
    expect(
      isOurDdl(
        "CREATE DEFINER=`u`@`%` TRIGGER `x` BEFORE INSERT ON t FOR EACH ROW /* switchyard migration=m */ SET @a=1",
      ),
    ).toBe(false);
  });
});
