import { describe, expect, test } from "vitest";
import { Privileges, patternMatches } from "../../../src/preflight/privileges.ts";

const of = (...lines: string[]) => new Privileges(lines, false);

describe("a privilege", () => {
  test.each<readonly [line: string, privilege: string, schema: string, table: string, expected: boolean, why: string]>([
    ["GRANT SELECT ON *.* TO `a`@`%`", "SELECT", "shop", "t", true, "of the server"],
    ["GRANT SELECT, INSERT ON `shop`.* TO `a`@`%`", "INSERT", "shop", "t", true, "of the schema"],
    ["GRANT SELECT ON `shop`.* TO `a`@`%`", "INSERT", "shop", "t", false, "another one"],
    ["GRANT SELECT ON `shop`.* TO `a`@`%`", "SELECT", "other", "t", false, "another schema"],
    ["GRANT SELECT ON `shop`.`t` TO `a`@`%`", "SELECT", "shop", "t", true, "of the table"],
    ["GRANT SELECT ON `shop`.`t` TO `a`@`%`", "SELECT", "shop", "u", false, "another table"],
    ["GRANT ALL PRIVILEGES ON `shop`.* TO `a`@`%`", "TRIGGER", "shop", "t", true, "all of a schema"],
    ["GRANT ALL PRIVILEGES ON `shop`.* TO `a`@`%`", "PROCESS", "shop", "t", false, "which has none of the server's"],
    ["GRANT LOCK TABLES ON `shop`.* TO `a`@`%` WITH GRANT OPTION", "LOCK TABLES", "shop", "t", true, "of two words"],
    ["GRANT SELECT ON `sh%`.* TO `a`@`%`", "SELECT", "shop", "t", true, "by a pattern"],
    ["GRANT SELECT ON `my\\_shop`.* TO `a`@`%`", "SELECT", "my_shop", "t", true, "by an escaped name"],
    ["GRANT SELECT ON `my\\_shop`.* TO `a`@`%`", "SELECT", "myXshop", "t", false, "which is no pattern"],
    ["GRANT SELECT ON `my``shop`.* TO `a`@`%`", "SELECT", "my`shop", "t", true, "of a schema with a quote"],
    [
      "GRANT SELECT (`id`, `a, b`) ON `shop`.`t` TO `a`@`%`",
      "SELECT",
      "shop",
      "t",
      false,
      "of columns is none of the table",
    ],
    ["GRANT SELECT (`id`), INSERT ON `shop`.`t` TO `a`@`%`", "INSERT", "shop", "t", true, "beside one of columns"],
    ["GRANT `r`@`%` TO `a`@`%`", "SELECT", "shop", "t", false, "a role by itself gives nothing"],
    ["GRANT PROXY ON ``@`` TO `root`@`localhost` WITH GRANT OPTION", "SELECT", "shop", "t", false, "proxy users"],
  ])("%s: %s on %s.%s is %s (%s)", (line, privilege, schema, table, expected) => {
    expect(of(line).onTable(privilege, schema, table)).toBe(expected);
  });

  test("of the server is taken back for a schema by a partial revoke", () => {
    const privileges = new Privileges(
      ["GRANT SELECT, INSERT ON *.* TO `a`@`%`", "REVOKE SELECT ON `shop`.* FROM `a`@`%`"],
      true,
    );
    expect(privileges.onTable("SELECT", "shop", "t")).toBe(false);
    expect(privileges.onTable("SELECT", "other", "t")).toBe(true);
    expect(privileges.onTable("INSERT", "shop", "t")).toBe(true);
  });

  test("on a schema is no pattern where partial revokes are on", () => {
    const privileges = new Privileges(["GRANT SELECT ON `my_shop`.* TO `a`@`%`"], true);
    expect(privileges.onSchema("SELECT", "my_shop")).toBe(true);
    expect(privileges.onSchema("SELECT", "myXshop")).toBe(false);
  });
});

test("roles are read from the line that grants them", () => {
  expect(of("GRANT `r1`@`%`,`r``2`@`10.%` TO `a`@`%`").roles).toEqual(["`r1`@`%`", "`r``2`@`10.%`"]);
  expect(of("GRANT SELECT ON `shop`.* TO `a`@`%`").roles).toEqual([]);
});

test.each([
  ["shop", "shop", true],
  ["shop", "shops", false],
  ["sh_p", "shop", true],
  ["s%", "shop", true],
  ["%", "", true],
  ["a\\%b", "a%b", true],
  ["a\\%b", "axxb", false],
  ["a.b", "axb", false],
  ["(a)[b]{1}|^$+?*-/", "(a)[b]{1}|^$+?*-/", true],
])("the pattern %s matches the schema %s: %s", (pattern, schema, expected) => {
  expect(patternMatches(pattern, schema)).toBe(expected);
});
