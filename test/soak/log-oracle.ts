import { join } from "node:path";
import type { TestServer } from "../support/servers.ts";
import { toolLines } from "../support/tool-lines.ts";

const FINDINGS_MAX = 10;

/** A change of one row, as MySQL's own tool prints it; values by the column's number from 1. */
export interface Change {
  readonly verb: "INSERT" | "UPDATE" | "DELETE";
  readonly table: string;
  readonly before: ReadonlyMap<number, string>;
  readonly after: ReadonlyMap<number, string>;
}

/** What the binary log of one server says of tables whose rows may change in one way only. */
export interface LogFindings {
  readonly findings: readonly string[];
  readonly changes: number;
}

/** Tables whose rows are only ever added, by the column of their key. */
const APPENDED: Readonly<Record<string, number>> = { "`ledger`.`entry`": 1 };
/**
 * Tables whose rows have a number that only ever grows: the columns of the key and of the number. Rows of one whose copy
 * cannot go on may be cleared, and begin anew.
 */
const GROWING: Readonly<Record<string, { readonly key: number; readonly grows: number; readonly cleared: boolean }>> = {
  "`ledger`.`counter`": { key: 1, grows: 2, cleared: false },
  "`ledger`.`fat`": { key: 1, grows: 2, cleared: false },
  "`ledger`.`whole`": { key: 1, grows: 2, cleared: true },
};

/** Begins a new binary log and gives its name. */
export async function newLog(server: TestServer): Promise<string> {
  await server.root("FLUSH BINARY LOGS");
  return (await logNames(server)).at(-1) ?? "";
}

/** Forgets the binary logs before this one. */
export async function forgetLogsBefore(server: TestServer, name: string): Promise<void> {
  await server.root(`PURGE BINARY LOGS TO '${name}'`);
}

export async function logNames(server: TestServer): Promise<readonly string[]> {
  return (await server.root("SHOW BINARY LOGS")).map((row) => row["Log_name"] ?? "");
}

/**
 * Reads the server's binary logs from `first` on, with mysqlbinlog. A change that was applied twice, or over a newer one,
 * leaves a row added again or a number that has not grown, even where the end is right.
 */
export async function readLogs(server: TestServer, first: string): Promise<LogFindings> {
  const names = await logNames(server);
  const from = names.indexOf(first);
  if (from === -1) throw new Error(`${server.name} has no binary log ${first} any more`);
  const files = names.slice(from).map((name) => join(server.datadir, name));
  const added = new Set<string>();
  const numbers = new Map<string, bigint>();
  const findings: string[] = [];
  let changes = 0;
  await printedChanges(files, (change) => {
    changes += 1;
    const finding = wrongOf(change, added, numbers);
    if (finding !== undefined && findings.length < FINDINGS_MAX) findings.push(`log of ${server.name}: ${finding}`);
  });
  // An oracle that saw none of the rows that it watches has nothing to say.
  if (added.size === 0 || numbers.size === 0)
    findings.push(`log of ${server.name}: no change of a watched table is in it`);
  return { findings, changes };
}

function wrongOf(change: Change, added: Set<string>, numbers: Map<string, bigint>): string | undefined {
  const { verb, table, before, after } = change;
  const keyColumn = APPENDED[table];
  if (keyColumn !== undefined) {
    const key = `${table} ${(verb === "INSERT" ? after : before).get(keyColumn)}`;
    if (verb !== "INSERT") return `${verb} of ${key}, which is only ever added`;
    if (added.has(key)) return `${key} was added twice`;
    added.add(key);
    return undefined;
  }
  const growing = GROWING[table];
  if (growing === undefined) return undefined;
  const row = `${table} ${(verb === "DELETE" ? before : after).get(growing.key)}`;
  const known = numbers.get(row);
  if (verb === "DELETE") {
    if (growing.cleared) numbers.delete(row);
    return undefined;
  }
  const now = BigInt(after.get(growing.grows) ?? "-1");
  numbers.set(row, now);
  return known !== undefined && now <= known ? `${verb} of ${row} leads from ${known} to ${now}` : undefined;
}

/** Calls `take` with each row change that `files` hold, in order. */
export async function printedChanges(files: readonly string[], take: (change: Change) => void): Promise<void> {
  let change:
    | { verb: Change["verb"]; table: string; before: Map<number, string>; after: Map<number, string> }
    | undefined;
  let image: Map<number, string> | undefined;
  const flush = (): void => {
    if (change !== undefined) take(change);
    change = undefined;
  };
  for await (const line of toolLines("mysqlbinlog", ["-v", "--base64-output=decode-rows", ...files], "latin1")) {
    const head = /^### (INSERT INTO|UPDATE|DELETE FROM) (.*)$/.exec(line);
    if (head !== null) {
      flush();
      const verb = (head[1] ?? "").split(" ")[0] as Change["verb"];
      change = { verb, table: head[2] ?? "", before: new Map(), after: new Map() };
    } else if (line === "### WHERE") image = change?.before;
    else if (line === "### SET") image = change?.after;
    else if (line.startsWith("###   @")) {
      const equals = line.indexOf("=");
      image?.set(Number(line.slice(7, equals)), line.slice(equals + 1, equals + 40));
    } else flush();
  }
  flush();
}
