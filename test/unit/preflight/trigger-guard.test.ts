import { describe, expect, test } from "vitest";
import { guardOf, guardStatements, isGuarded } from "../../../src/preflight/trigger-guard.ts";

const guard = guardOf("switchyard") ?? "";

describe("a trigger does nothing for our account", () => {
  test("where its body is a block that is left at once, however it is laid out", () => {
    expect(isGuarded(`${guard} SET NEW.a = 1; END`, "switchyard")).toBe(true);
    expect(isGuarded(`\n ${guard.replaceAll(" ", "\n\t")}\n BEGIN DECLARE a INT; END; END`, "switchyard")).toBe(true);
  });

  test.each([
    ["something comes before", `BEGIN SET @a = 1; ${guard} SET NEW.a = 1; END; END`],
    ["it is left for another user", `${guardOf("other")} SET NEW.a = 1; END`],
    ["another block is left", `${guard.replace("LEAVE switchyard_guard", "LEAVE other")} SET NEW.a = 1; END`],
    ["the guard is a comment", `/* ${guard} */ SET NEW.a = 1`],
    ["it is left unless it is us", `${guard.replace(") = CAST", ") <> CAST")} SET NEW.a = 1; END`],
    ["a comment is in between", `${guard.replace("THEN", "/* */ OR 0 THEN")} SET NEW.a = 1; END`],
  ])("and not where %s", (_why, body) => {
    expect(isGuarded(body, "switchyard")).toBe(false);
  });

  test("and no guard is made for a name that a text could be misread with", () => {
    for (const user of ["a'b", "a@b", "a\\", "", "a b"]) expect(guardOf(user)).toBeUndefined();
  });

  test("is what the statements of the fix make, by the same definer and in the same mode", () => {
    const table = { schema: "s", table: "t`x" };
    const facts = { schema: "s", name: "n", table, when: "AFTER DELETE", definer: "a@b@%", mode: "ANSI_QUOTES" };
    const fix = guardStatements({ ...facts, body: "SET @a = 1 -- why" }, "switchyard") ?? "";
    expect(fix).toContain(
      `CREATE DEFINER=\`a@b\`@\`%\` TRIGGER \`s\`.\`n\` AFTER DELETE ON \`s\`.\`t\`\`x\` FOR EACH ROW ${guard} `,
    );
    expect(fix).toContain("SET @a = 1 -- why\n; END; UNLOCK TABLES;");
    expect(fix).toMatch(/^SET SESSION sql_mode='ANSI_QUOTES'; LOCK TABLES `s`\.`t``x` WRITE; DROP TRIGGER `s`\.`n`;/);
  });
});
