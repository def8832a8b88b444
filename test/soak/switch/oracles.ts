import { setTimeout as sleep } from "node:timers/promises";
import type { TestServer } from "../../support/servers.ts";
import { compareLedger, type LedgerVerdict } from "./compare-ledger.ts";
import { LogComparison } from "./compare-logs.ts";
import { differences, printedRows } from "./home-rows.ts";
import { ROWS_OF, SOAK_TABLES } from "./tables.ts";
import type { WriteLedger } from "./write-ledger.ts";

const LEVEL_MS_MAX = 60_000;
const LOOK_MS = 20;
const DIFFERENCES_MAX = 10;

type Homes = Readonly<Record<"old" | "new", TestServer>>;

/** What says whether all is well, from the servers' own words and the clients' ledger; none of it asks Switchyard. */
export class Oracles {
  readonly #homes: Homes;
  readonly #ledger: WriteLedger;
  #logs: LogComparison | undefined;
  #verdict: LedgerVerdict = { lost: 0, doubled: 0, unknown: 0, unknownThere: 0, findings: [] };

  constructor(homes: Homes, ledger: WriteLedger) {
    this.#homes = homes;
    this.#ledger = ledger;
  }

  /** The ledger against the home of the tables, as of the last look. */
  get verdict(): LedgerVerdict {
    return this.#verdict;
  }

  /** Nobody has written yet. */
  async begin(): Promise<void> {
    this.#logs = await LogComparison.begin(Object.values(this.#homes));
  }

  /** What is wrong, in words, while nobody writes: both homes' rows, the ledger, and both homes' logs. */
  async look(levelWithinMs = LEVEL_MS_MAX): Promise<readonly string[]> {
    const findings: string[] = [];
    const unlevel = await this.#level(levelWithinMs);
    if (unlevel !== undefined) findings.push(unlevel);
    const rows = {
      old: await rowsOf(this.#homes.old),
      new: await rowsOf(this.#homes.new),
    };
    for (const table of SOAK_TABLES) {
      const pair = { old: rows.old[table] ?? [], new: rows.new[table] ?? [] };
      findings.push(...differences(table, pair, DIFFERENCES_MAX));
    }
    for (const name of ["old", "new"] as const) {
      const [entries = [], counters = []] = SOAK_TABLES.map((table) => rows[name][table]);
      const verdict = compareLedger(this.#ledger, { entries, counters });
      findings.push(...verdict.findings.map((text) => `${name}: ${text}`));
      // Of two homes that differ the one that is worse is told.
      if (name === "old" || verdict.lost + verdict.doubled > this.#verdict.lost + this.#verdict.doubled) {
        this.#verdict = verdict;
      }
    }
    if (this.#logs === undefined) throw new Error("the oracles have not begun");
    findings.push(...(await this.#logs.look(this.#ledger)));
    return findings;
  }

  /** Waits until the servers' own checksums agree; what they were where they do not come to. */
  async #level(withinMs: number): Promise<string | undefined> {
    const sql = `CHECKSUM TABLE ${SOAK_TABLES.join(", ")} EXTENDED`;
    const deadlineMs = performance.now() + withinMs;
    for (;;) {
      const [onOld, onNew] = await Promise.all([this.#homes.old.root(sql), this.#homes.new.root(sql)]);
      const [a, b] = [JSON.stringify(onOld), JSON.stringify(onNew)];
      if (a === b) return undefined;
      if (performance.now() > deadlineMs) return `the homes do not become level: ${a} on old, ${b} on new`;
      await sleep(LOOK_MS);
    }
  }
}

async function rowsOf(server: TestServer): Promise<Readonly<Record<string, readonly string[]>>> {
  const rows: Record<string, readonly string[]> = {};
  for (const [table, sql] of Object.entries(ROWS_OF)) rows[table] = await printedRows(server, sql);
  return rows;
}
