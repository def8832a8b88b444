import type { Write, WriteLedger } from "./write-ledger.ts";

/** What of the clients' ledger the rows of a home contradict. */
export interface LedgerVerdict {
  lost: number;
  doubled: number;
  /** Writes whose outcome nobody was told, and how many of them are there. */
  unknown: number;
  unknownThere: number;
  readonly findings: string[];
}

const FINDINGS_MAX = 20;
/** So many parts of a write fit in the numbers by which rows are known. */
const PARTS_MAX = 16;

/** One number for each row that a client may write. */
export function rowNumber(client: number, sequence: number, part: number): number {
  return (client * 2 ** 24 + sequence) * PARTS_MAX + part;
}

export function describeRow(row: number): string {
  const [part, write] = [row % PARTS_MAX, Math.floor(row / PARTS_MAX)];
  return `client ${Math.floor(write / 2 ** 24)}, write ${write % 2 ** 24}, part ${part}`;
}

/** How often each row is in a home; `rows` as printed: id, client, sequence, part, note. */
function countRows(rows: readonly string[]): Map<number, number> {
  const copies = new Map<number, number>();
  for (const row of rows) {
    const [, client, sequence, part] = row.split("\t").map(Number);
    const number = rowNumber(client ?? 0, sequence ?? 0, part ?? 0);
    copies.set(number, (copies.get(number) ?? 0) + 1);
  }
  return copies;
}

/** How many of a write's parts must be there: all, none, or nobody knows and then all or none. */
export function due({ state, deletion }: Write): "all" | "none" | "all or none" {
  if (state === "refused") return "none";
  if (state === "unknown" || deletion === "unknown") return "all or none";
  return deletion === "acknowledged" ? "none" : "all";
}

/** Compares every write of every client with the rows of one home. */
export function compareLedger(
  ledger: WriteLedger,
  home: { readonly entries: readonly string[]; readonly counters: readonly string[] },
): LedgerVerdict {
  const verdict: LedgerVerdict = { lost: 0, doubled: 0, unknown: 0, unknownThere: 0, findings: [] };
  const copies = countRows(home.entries);
  const counters = new Map(home.counters.map((row) => row.split("\t").map(Number) as [number, number]));
  for (const client of ledger.clients) {
    let counted = 0;
    for (const write of ledger.writesOf(client)) {
      const there = compareWrite(write, copies, verdict);
      if (write.counts && (write.state === "acknowledged" || (write.state === "unknown" && there > 0))) counted += 1;
    }
    const n = counters.get(client) ?? 0;
    if (n < counted) verdict.lost += counted - n;
    if (n > counted) verdict.doubled += n - counted;
    if (n !== counted) note(verdict, `counter of client ${client} is ${n}, ${counted} writes count`);
  }
  for (const row of copies.keys()) {
    verdict.doubled += 1;
    note(verdict, `no client has sent ${describeRow(row)}`);
  }
  return verdict;
}

/** Gives how many of its parts are there, and takes them from `copies`. */
function compareWrite(write: Write, copies: Map<number, number>, verdict: LedgerVerdict): number {
  const { client, sequence, parts, state, deletion } = write;
  let there = 0;
  let twice = 0;
  for (let part = 1; part <= parts; part += 1) {
    const row = rowNumber(client, sequence, part);
    const found = copies.get(row) ?? 0;
    copies.delete(row);
    if (found > 0) there += 1;
    if (found > 1) twice += 1;
  }
  if (state === "unknown") {
    verdict.unknown += 1;
    if (there > 0) verdict.unknownThere += 1;
  }
  const told = deletion === undefined ? state : `${state}, its deletion ${deletion}`;
  const say = (what: string): void => note(verdict, `client ${client}, write ${sequence} (${told}): ${what}`);
  if (twice > 0) {
    verdict.doubled += 1;
    say(`${twice} of its ${parts} rows are there twice`);
  }
  const must = due(write);
  if (there === parts ? must !== "none" : there === 0 && must !== "all") return there;
  if (must === "none") verdict.doubled += 1;
  else verdict.lost += 1;
  say(`${there} of its ${parts} rows are there`);
  return there;
}

function note(verdict: LedgerVerdict, text: string): void {
  if (verdict.findings.length < FINDINGS_MAX) verdict.findings.push(text);
}
