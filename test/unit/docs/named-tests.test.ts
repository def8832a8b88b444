import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../../..");

/** A file of tests, and behind it, where given, parts of tests' titles. */
const NAMED = /`(test\/[\w/.-]+\.ts)`((?:,? "[^"]+")*)/g;

function named(page: string): readonly { file: string; title: string | undefined }[] {
  const text = readFileSync(join(ROOT, page), "utf8");
  return [...text.matchAll(NAMED)].flatMap(([, file = "", behind = ""]) => {
    const titles = [...behind.matchAll(/"([^"]+)"/g)].map(([, title]) => title);
    return (titles.length === 0 ? [undefined] : titles).map((title) => ({ file, title }));
  });
}

test.each([
  ["docs/reliability.md", 100],
  ["src/cutover/SPEC.md", 5],
])("%s names tests that are there", (page, atLeast) => {
  const tests = named(page);
  expect(tests.length).toBeGreaterThanOrEqual(atLeast);
  const missing = tests.filter(({ file, title }) => {
    const path = join(ROOT, file);
    return !existsSync(path) || (title !== undefined && !readFileSync(path, "utf8").includes(title));
  });
  expect(missing).toEqual([]);
});
