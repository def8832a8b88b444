import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { REFERENCE_FOLDER, referencePages } from "../../../scripts/reference/pages.ts";
import { ERROR_CODES } from "../../../src/base/error-codes.ts";
import { CONFIG_ABOUT } from "../../../src/config/config-about.ts";
import { configKeys } from "../../../src/config/config-keys.ts";
import { LABELS, METRICS } from "../../../src/metrics/catalogue.ts";
import { CHECKS_OF_SERVERS, CHECKS_OF_TABLES } from "../../../src/preflight/check-list.ts";

const root = resolve(import.meta.dirname, "../../..");
const pages = referencePages();

describe("the reference pages", () => {
  test.each([...pages.keys()])("%s is what the sources say; if not: npm run docs", (name) => {
    expect(readFileSync(join(root, REFERENCE_FOLDER, name), "utf8")).toBe(pages.get(name));
  });

  test("are all generated or held by a test of their own: any other would go stale unseen", () => {
    const held = [...pages.keys(), "compatibility.md", "diff-corruptions.md", "replication-cases.md"];
    expect(readdirSync(join(root, REFERENCE_FOLDER)).sort()).toEqual(held.sort());
  });

  test("name every error, metric, key and check", () => {
    const missing = (page: string, names: readonly string[]): string[] =>
      names.filter((name) => !pages.get(page)?.includes(`\`${name}\``));
    expect(missing("errors.md", Object.keys(ERROR_CODES))).toEqual([]);
    expect(
      missing(
        "metrics.md",
        Object.keys(METRICS).map((name) => `switchyard_${name}`),
      ),
    ).toEqual([]);
    expect(
      missing(
        "configuration.md",
        configKeys().map(({ path }) => path),
      ),
    ).toEqual([]);
    const checks = [...CHECKS_OF_SERVERS, ...CHECKS_OF_TABLES].map(({ id }) => id);
    expect(missing("preflight-checks.md", checks)).toEqual([]);
  });

  test("say of every key of the configuration what it means, and of every label", () => {
    expect(configKeys().filter(({ path }) => CONFIG_ABOUT[path] === undefined)).toEqual([]);
    const used = new Set(Object.values(METRICS).flatMap(({ labels }): readonly string[] => labels));
    expect(Object.keys(LABELS).sort()).toEqual([...used].sort());
  });
});

describe("the checks", () => {
  test("may have just the severities that they claim", () => {
    const folder = join(root, "src/preflight/checks");
    const odd = [...CHECKS_OF_SERVERS, ...CHECKS_OF_TABLES].filter(({ id, severities }) => {
      const body = readFileSync(join(folder, `${id}.ts`), "utf8").replace(/severities: .*/, "");
      return severities.includes("warning") !== body.includes('"warning"');
    });
    expect(odd.map(({ id }) => id)).toEqual([]);
  });
});
