import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../../..");
const FOLDERS = ["test", "demo", "bench", "scripts"];

/**
 * How Switchyard's own code would be handed an administrator's account: as an endpoint, in a configuration, or by
 * making its account almighty. A connection by socket is a test's own; Switchyard has none.
 */
const AS_ROOT = [
  /endpoint\(\s*"root"/,
  /endpoint\([^)]*rootUser/,
  /^(?!.*socketPath).*\buser: ["']?root\b/,
  /GRANT ALL(?: PRIVILEGES)? ON \*\.\* TO (?!(?:app|boss)\b)/,
];
const THIS_FILE = "test/unit/preflight/least-privilege.test.ts";

describe("Switchyard's own code in tests, demo and benches", () => {
  test("logs in with what check --print-grants prints, never as root and never with all privileges", () => {
    const found = sources().flatMap(({ path, text }) =>
      text
        .split("\n")
        .flatMap((line, index) => (AS_ROOT.some((one) => one.test(line)) ? [`${path}:${index + 1}`] : [])),
    );
    expect(found).toEqual([]);
  });
});

function sources(): { readonly path: string; readonly text: string }[] {
  return FOLDERS.filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((name) => `${folder}/${name}`),
    )
    .filter((path) => path.endsWith(".ts") && path !== THIS_FILE)
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
}
