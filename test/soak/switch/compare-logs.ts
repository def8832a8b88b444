import { join } from "node:path";
import type { TestServer } from "../../support/servers.ts";
import { type Change, logNames, newLog, printedChanges } from "../log-oracle.ts";
import { describeRow, due, rowNumber } from "./compare-ledger.ts";
import type { WriteLedger } from "./write-ledger.ts";

const FINDINGS_MAX = 10;

/** What the binary logs of one home have said so far. */
interface HomeLog {
  readonly server: TestServer;
  /** The first log that was not read yet. */
  next: string;
  readonly added: Set<number>;
  readonly deleted: Set<number>;
  readonly counters: Map<number, number>;
}

/**
 * Reads both homes' binary logs with mysqlbinlog. Each row that a client has written is added once in each, by the client or
 * by the stream; it is deleted in none, or once where a client has deleted it; and counters only grow.
 */
export class LogComparison {
  readonly #homes: readonly HomeLog[];

  private constructor(homes: readonly HomeLog[]) {
    this.#homes = homes;
  }

  /** From now on; nobody writes yet. */
  static async begin(servers: readonly TestServer[]): Promise<LogComparison> {
    const homes: HomeLog[] = [];
    for (const server of servers) {
      const next = await newLog(server);
      homes.push({ server, next, added: new Set(), deleted: new Set(), counters: new Map() });
    }
    return new LogComparison(homes);
  }

  /** What is wrong with what was logged since the last time. Nobody writes, and both homes are level. */
  async look(ledger: WriteLedger): Promise<readonly string[]> {
    const findings: string[] = [];
    const note = (text: string): void => void (findings.length < FINDINGS_MAX && findings.push(text));
    for (const home of this.#homes) await readOn(home, note);
    const explained = new Set<number>();
    for (const client of ledger.clients) {
      for (const write of ledger.writesOf(client)) {
        for (let part = 1; part <= write.parts; part += 1) {
          const row = rowNumber(client, write.sequence, part);
          explained.add(row);
          // A stream may leave out what was added and deleted again.
          if (write.deletion === undefined) this.#compare(row, due(write), note);
        }
      }
    }
    for (const { server, added } of this.#homes) {
      for (const row of added)
        if (!explained.has(row)) note(`log of ${server.name}: nobody has sent ${describeRow(row)}`);
    }
    return findings;
  }

  #compare(row: number, must: ReturnType<typeof due>, note: (text: string) => void): void {
    const where = this.#homes.filter(({ added }) => added.has(row)).map(({ server }) => server.name);
    const wanted = must === "all" ? [this.#homes.length] : must === "none" ? [0] : [0, this.#homes.length];
    if (!wanted.includes(where.length)) {
      note(`${describeRow(row)}: due in ${must} of the logs, it is in those of ${where.join(" and ") || "no home"}`);
    }
    for (const { server, deleted } of this.#homes) {
      if (deleted.has(row)) note(`log of ${server.name}: ${describeRow(row)} was deleted, by no client`);
    }
  }
}

async function readOn(home: HomeLog, note: (text: string) => void): Promise<void> {
  const { server } = home;
  const end = await newLog(server);
  const names = await logNames(server);
  const [from, until] = [names.indexOf(home.next), names.indexOf(end)];
  if (from === -1 || until === -1) throw new Error(`${server.name} has no binary log ${home.next} any more`);
  const files = names.slice(from, until).map((name) => join(server.datadir, name));
  home.next = end;
  if (files.length === 0) return;
  await printedChanges(files, (change) => {
    const finding = take(home, change);
    if (finding !== undefined) note(`log of ${server.name}: ${finding}`);
  });
}

function take(home: HomeLog, { verb, table, before, after }: Change): string | undefined {
  const image = verb === "DELETE" ? before : after;
  const at = (column: number): number => Number(image.get(column));
  if (table === "`ledger`.`entry`") {
    const row = rowNumber(at(2), at(3), at(4));
    const known = verb === "INSERT" ? home.added : home.deleted;
    if (verb === "UPDATE") return `${describeRow(row)} was changed`;
    if (known.has(row)) return `${describeRow(row)} was ${verb === "INSERT" ? "added" : "deleted"} twice`;
    known.add(row);
    return undefined;
  }
  if (table !== "`ledger`.`counter`") return undefined;
  const [client, n] = [at(1), at(2)];
  const known = home.counters.get(client);
  home.counters.set(client, n);
  if (verb === "DELETE") return `the counter of client ${client} was deleted`;
  return known !== undefined && n <= known ? `the counter of client ${client} went from ${known} to ${n}` : undefined;
}
