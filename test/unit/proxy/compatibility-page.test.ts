import { readdirSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { describe, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../../..");
const page = readFileSync(join(root, "docs/reference/compatibility.md"), "utf8");
const FOLDERS = ["integration", "clients", "soak"].map((folder) => join(root, "test", folder));

/** Texts of the tests with real servers, by the names of their files; two folders may have files of the same name. */
const texts = new Map<string, string>();
for (const folder of FOLDERS) {
  for (const path of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    // Rows of a table of tests may have a file of their own.
    if (!path.endsWith(".test.ts") && !path.endsWith("-rows.ts")) continue;
    const name = basename(path).replace(/-rows\.ts$/, "-table.test.ts");
    texts.set(name, (texts.get(name) ?? "") + readFileSync(join(folder, path), "utf8"));
  }
}

interface Row {
  readonly what: string;
  readonly how: string;
  readonly shownBy: string;
}

const rows: readonly Row[] = page
  .split("\n")
  .filter((line) => line.startsWith("| ") && !line.startsWith("| what "))
  .map((line) => {
    const [, what = "", how = "", shownBy = ""] = line.split("|").map((cell) => cell.trim());
    return { what, how, shownBy };
  });

describe("the page of what clients find at the proxy", () => {
  test("has rows", () => {
    expect(rows.length).toBeGreaterThan(50);
  });

  test.each(rows)("$what: its test exists, or the row says that it is not built yet", ({ how, shownBy }) => {
    if (shownBy === "none: not yet") return expect(how).toMatch(/^not yet/);
    const [, file = "", title = ""] = /^`([a-z-]+\.test\.ts)` "(.+)"$/.exec(shownBy) ?? [];
    // A title of a table of tests may go on before the part that is cited.
    const titles = [
      ...(texts.get(file) ?? "").matchAll(
        /^ *(?:state: |test(?:\.each\([^(]*\))?\(|\]\)|\] as const\)\()?\(?"(.*)",/gm,
      ),
    ].map(([, found]) => found ?? "");
    expect(titles.some((found) => found === title || found.endsWith(` ${title}`))).toBe(true);
  });
});
