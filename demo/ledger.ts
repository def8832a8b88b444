import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import type { Values } from "./written-tables.ts";

/** What one statement does to the rows, in terms that can be replayed. */
export type Effect =
  | { readonly do: "insert"; readonly table: string; readonly row: Values }
  /** Replaces or inserts the whole row. */
  | { readonly do: "put"; readonly table: string; readonly row: Values }
  | { readonly do: "set"; readonly table: string; readonly key: Values; readonly values: Values }
  /** Adds to numbers; the order of several does not matter, so that clients may share rows. */
  | {
      readonly do: "add";
      readonly table: string;
      readonly key: Values;
      readonly amounts: Readonly<Record<string, string>>;
    }
  | { readonly do: "delete"; readonly table: string; readonly key: Values };

/**
 * What the client was told of a write: `acknowledged` by an OK to the statement or to its COMMIT; `refused` by an error
 * before that, or taken back by a ROLLBACK; `unknown` when the connection broke while the answer was due.
 */
export type Outcome = "acknowledged" | "refused" | "unknown";

/** One write (an autocommit statement or a whole transaction) of one client. */
export interface LedgerEntry {
  readonly client: number;
  readonly sequence: number;
  readonly outcome: Outcome;
  readonly effects: readonly Effect[];
}

/**
 * The clients' ledger: a file outside the databases, one line for each write, written after the acknowledgement and
 * before the client's next write. Lines of one client are in the order of its writes.
 */
export class Ledger {
  readonly #file: number;
  readonly counts: Record<Outcome, number> = { acknowledged: 0, refused: 0, unknown: 0 };

  constructor(path: string) {
    this.#file = openSync(path, "wx");
  }

  record(entry: LedgerEntry): void {
    writeSync(this.#file, `${JSON.stringify(entry)}\n`);
    this.counts[entry.outcome]++;
  }

  close(): void {
    closeSync(this.#file);
  }
}

export function readLedger(path: string): LedgerEntry[] {
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as LedgerEntry);
}
