import { describe, expect, test } from "vitest";
import { parseCreateRequest } from "../../../src/controller/migration-requests.ts";

const ends = { from: "old", to: "new" };

describe("what a migration is asked to move", () => {
  test("is each table once, in order", () => {
    const request = parseCreateRequest("m", { ...ends, tables: ["shop.b", "shop.a", " shop.b "] });
    expect(request.tables).toEqual(["shop.a", "shop.b"]);
  });

  test.each<readonly [Readonly<Record<string, unknown>>, string]>([
    [{ ...ends, tables: [] }, "no table"],
    [{ from: "old", to: "old", tables: ["shop.a"] }, "the same server twice"],
    [{ to: "new", tables: ["shop.a"] }, "no source"],
    [{ ...ends, tables: ["MySQL.user"] }, "the server's own tables, however they are spelled"],
    [{ ...ends, tables: ["_switchyard.ledger"] }, "our own sidecar"],
    [
      { ...ends, tables: Array.from({ length: 61 }, (_, n) => `shop.t${n}`) },
      "more than one store transaction can claim",
    ],
    [{ ...ends, tables: ["a.b.c"] }, "a name with three parts"],
  ])("%j is refused: %s", (options, _why) => {
    expect(() => parseCreateRequest("m", options)).toThrow(/MIGRATION_REQUEST_INVALID|TABLE_NAME_INVALID/);
  });
});
