import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { explore, firstBreach, PROFILES } from "./profiles.ts";
import { ELSEWHERE, RULES, type Rule, SPARE } from "./rules.ts";
import * as weakened from "./weakenings.ts";

const TEST_TIMEOUT_MS = 120_000;
/** How many seeds are tried before a failure counts as not found. */
const SEEDS_MAX = 1000;

interface Finding {
  readonly breach: string;
  readonly seed: number;
}

/** Each rule is tried once, for its own test and for the table. */
const findings = new Map<Rule, Promise<Finding>>();

function finding(rule: Rule): Promise<Finding> {
  const known = findings.get(rule) ?? find(rule);
  findings.set(rule, known);
  return known;
}

async function find({ rule, faults = {}, scene, without, kept, failure }: Rule): Promise<Finding> {
  for (let seed = 1; seed <= SEEDS_MAX; seed += 1) {
    const seeds = { from: seed, to: seed };
    const breach = await firstBreach(faults, seeds, { activeMs: 1000, ...scene?.(), ...without });
    if (kept !== undefined) await explore(faults, seeds, { activeMs: 1000, ...scene?.(), ...kept });
    const line = breach?.split("\n").find((one) => failure.test(one));
    if (line !== undefined) return { breach: line, seed };
  }
  throw new Error(`nothing of the kind fails in ${SEEDS_MAX} seeds when it is not so that ${rule}`);
}

/** The first breach without its numbers and the state it shows, which say nothing to a reader. */
function kindOf(breach: string): string {
  return breach.replace(/( \(seed \d+\)|: \{.*)$/, "").replaceAll(/\d+/g, "N");
}

describe("the simulation finds the failure when it is not so that", () => {
  test.each(RULES.map((rule) => [rule.rule, rule] as const))(
    "%s",
    async (_name, rule) => {
      expect((await finding(rule)).breach).toMatch(rule.failure);
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "and what it finds is what the page beside the specification says",
    async () => {
      const rows: string[] = [];
      for (const rule of RULES) {
        const { breach, seed } = await finding(rule);
        rows.push(`| ${rule.rule} | ${rule.invariants} | ${kindOf(breach)} | ${seed} |`);
      }
      const page = [
        "# What fails when a rule is not kept",
        "",
        "Written by `test/simulation/cutover/rules-off.test.ts`, which fails when it is not up to date; `npx vitest run --project unit test/simulation/cutover/rules-off.test.ts -u` writes it again. Each rule is switched off in the simulation, alone or, where another rule holds the same up as well, together with that one, as `rules.ts` beside the test says; and seeds are tried from 1 on until an invariant of [SPEC.md](SPEC.md) is broken: the last column is that seed, and how many it took. Where a story is told, the same seeds with the rule kept break nothing. Numbers within a breach are written as N.",
        "",
        "| rule | holds up | without it | seed |",
        "|---|---|---|---|",
        ...rows,
        "",
        "## What nothing fails without",
        "",
        "Tried in the same way, and kept for what the last column says.",
        "",
        "| rule | belongs to | nothing fails, since |",
        "|---|---|---|",
        ...SPARE.map(({ rule, invariants, since }) => `| ${rule} | ${invariants} | ${since}. |`),
        "",
        "## What is held up elsewhere",
        "",
        "No simulated run can break these; SPEC.md names the tests that fail without them.",
        "",
        "| invariant | why not here |",
        "|---|---|",
        ...Object.entries(ELSEWHERE).map(([invariant, why]) => `| ${invariant} | ${why}. |`),
        "",
      ].join("\n");
      await expect(page).toMatchFileSnapshot("../../../src/cutover/RULES-OFF.md");
    },
    TEST_TIMEOUT_MS,
  );

  test("and there is a line for every invariant of the store, the servers, the proxies and the streams", () => {
    const spec = readFileSync(new URL("../../../src/cutover/SPEC.md", import.meta.url), "utf8");
    const wanted = [...spec.matchAll(/^\| ([B-E]\d+) \|/gm)].flatMap(([, name]) => (name === undefined ? [] : [name]));
    const off = [...RULES, ...SPARE].flatMap(({ invariants }) => invariants.split(", "));
    const named = new Set([...off, ...Object.keys(ELSEWHERE)]);
    expect(wanted.filter((name) => !named.has(name))).toEqual([]);
    expect(Object.keys(ELSEWHERE).filter((name) => off.includes(name))).toEqual([]);
  });

  test.each(SPARE.map((spare) => [spare.rule, spare] as const))(
    "and none when it is not so that %s",
    async (_name, { faults = {}, without }) => {
      await explore(faults, { from: 1, to: 60 }, { activeMs: 1000, ...without });
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "while proxies alone, with neither lock nor fence on the servers, lose nothing of their own clients",
    async () => {
      const options = { weaken: weakened.unfenced, unfenced: true, bypass: false, activeMs: 1500 };
      await explore(PROFILES["proxies killed, stopped and cut off"], { from: 1, to: 150 }, options);
    },
    TEST_TIMEOUT_MS,
  );
});
