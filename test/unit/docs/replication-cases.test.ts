import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readTraps } from "../../scenarios/trap-folders.ts";

const root = join(import.meta.dirname, "../../..");
const page = readFileSync(join(root, "docs/reference/replication-cases.md"), "utf8");
const traps = readTraps();

describe("the page of replication cases", () => {
  test("has every trap once, with the hazard that its folder tells", () => {
    const rows = traps.map(({ name, schema }) => `| \`${name}\` | ${schema.split("\n")[0]?.replace(/^-- /, "")} |`);
    expect(rows.filter((row) => page.split(row).length !== 2)).toEqual([]);
    expect(new Set(rows.map((row) => row.split("|")[2])).size).toBe(traps.length);
  });

  test("names no trap that is not there", () => {
    const named = [...page.matchAll(/^\| `([a-z0-9-]+)` \|/gm)].map((match) => match[1]);
    expect(named.toSorted()).toEqual(traps.map(({ name }) => name));
  });

  test("names tests that are there", () => {
    const files = [...page.matchAll(/`(test\/[^`]+\.ts)`/g)].map((match) => match[1] ?? "");
    expect(files.length).toBeGreaterThan(10);
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });
});
