import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Fleet } from "../support/fleet.ts";
import type { ServeProcess } from "../support/serve-process.ts";
import { TestSystem } from "../support/system.ts";
import { CLIENTS, type Client, STEPS } from "./catalogue.ts";
import { type Account, runScript, type ScriptRun, type Target, Writer } from "./client-process.ts";

/*
 * The clients that people have, all through one migration, which is switched and rolled back while they work:
 *
 * 1. Each runs the common script at the server itself: what it prints there is what it must print everywhere.
 * 2. Two proxies and two controllers come up, the tables are copied, and each client runs the script through a proxy.
 * 3. Each client writes and reads without pause, while the switch is ordered and all run the script once more.
 * 4. The same after the switch, during the rollback, and after it.
 * 5. Each write that was acknowledged is looked for at the server.
 */

const TABLES = "ledger.entry,ledger.counter,ledger.value,ledger.many";
const MANY = 10_000;
/** Each id of `ledger.many` times the length of its text. */
const MANY_SUM = Array.from({ length: MANY }, (_, i) => (i + 1) * (`row ${i + 1}`.length + ((i + 1) % 40))).reduce(
  (sum, product) => sum + product,
);
const SCHEMA = `
  CREATE TABLE ledger.value (client INT, id INT, tiny TINYINT, big BIGINT, huge BIGINT UNSIGNED, price DECIMAL(30,10),
    weight DOUBLE, made DATE, seen DATETIME(6), stamp TIMESTAMP(6) NULL, span TIME(6), year YEAR,
    name VARCHAR(100), data VARBINARY(100), body BLOB, facts JSON, kind ENUM('a','b'), flags SET('x','y'), bits BIT(9),
    PRIMARY KEY (client, id)) CHARACTER SET utf8mb4;
  CREATE TABLE ledger.many (id INT PRIMARY KEY, text VARCHAR(60)) CHARACTER SET utf8mb4;
  SET SESSION cte_max_recursion_depth = ${MANY};
  INSERT INTO ledger.many WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${MANY})
    SELECT i, CONCAT('row ', i, REPEAT('.', i % 40)) FROM n`;
const NATIVE: Account = { user: "native", password: "native-secret" };
/** Scripts at a time; each is a process, and there may be two cores. */
const SCRIPTS_AT_ONCE = 3;
const PHASES = [
  "before",
  "during the switch",
  "after the switch",
  "during the rollback",
  "after the rollback",
] as const;
type Phase = (typeof PHASES)[number];

let system: TestSystem;
let fleet: Fleet;
const direct = new Map<Client, ScriptRun>();
const proxied = new Map<Client, { readonly phase: Phase; readonly tls: string; readonly run: ScriptRun }[]>();
const written = new Map<Client, { readonly error: string; readonly byPhase: Map<Phase, number>; findings: string[] }>();
const ordered: string[] = [];

beforeAll(async () => {
  system = await TestSystem.start();
  await system.resetTables();
  await system.old.root(SCHEMA);
  for (const server of [system.old, system.new]) {
    await server.root(`CREATE USER native@'127.0.0.1' IDENTIFIED BY '${NATIVE.password}';
      GRANT ALL ON ledger.* TO native@'127.0.0.1'`);
  }
  await each(async (client, number) => {
    const to: Target = { port: system.old.port, tls: client.tls[0] ?? "disabled", env: client.directEnv ?? {} };
    direct.set(client, await runScript(client, number, accountOf(client), to));
  });
  fleet = await Fleet.start(system, { more: `users: [{ name: ${NATIVE.user}, password: ${NATIVE.password} }]` });
  await order("migration", "create", "clients", "--from", "old", "--to", "new", "--tables", TABLES, "--wait");
  await order("diff", "start", "clients");
  await journey();
}, 480_000);

afterAll(async () => {
  await fleet?.stop();
  await system?.stop();
});

async function journey(): Promise<void> {
  const stopFile = join(system.folder, "stop");
  await scripts("before");
  const writers = await Promise.all(
    CLIENTS.map((client, i) => {
      const to = { port: proxyPort(i), tls: client.tls[i % client.tls.length] ?? "disabled" };
      const account = accountOf(client);
      return system.old
        .root(`INSERT INTO ledger.counter VALUES (${i + 1}, 0)`)
        .then(() => Writer.start(client, i + 1, account, to, stopFile));
    }),
  );
  const counted = (): number[] => writers.map((writer) => writer.acknowledged.length);
  const marks: number[][] = [];
  try {
    const goOn = async (): Promise<void> => {
      await Promise.all(writers.map((writer) => writer.goOnFor(10)));
      marks.push(counted());
    };
    await goOn();
    for (const kind of ["switch", "rollback"] as const) {
      await Promise.all([scripts(`during the ${kind}`), order(kind, "clients").catch((error: Error) => error)]);
      marks.push(counted());
      await scripts(`after the ${kind}`);
      await goOn();
    }
    writeFileSync(stopFile, "");
    for (const [i, writer] of writers.entries()) {
      const byPhase = new Map(PHASES.map((phase, p) => [phase, (marks[p]?.[i] ?? 0) - (marks[p - 1]?.[i] ?? 0)]));
      const error = await writer.end();
      written.set(writer.client, { error, byPhase, findings: await missing(writer) });
    }
  } finally {
    for (const writer of writers) writer.kill();
  }
}

/** All clients run the common script through a proxy, by each kind of connection that they can make. */
async function scripts(phase: Phase): Promise<void> {
  await each(async (client, number) => {
    // While tables are switched, one kind is enough, compressed; it is the other one of the second time.
    const kinds = phase.startsWith("during")
      ? [client.tls[phase === "during the switch" ? 0 : client.tls.length - 1] ?? "disabled"]
      : client.tls;
    for (const [i, tls] of kinds.entries()) {
      const to = { port: proxyPort(number + i), tls, compress: phase.startsWith("during") };
      const run = await runScript(client, number, accountOf(client), to);
      proxied.set(client, [...(proxied.get(client) ?? []), { phase, tls, run }]);
    }
  });
}

async function each(work: (client: Client, number: number) => Promise<void>): Promise<void> {
  const queue = CLIENTS.map((client, i) => [client, i + 1] as const);
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) await work(...next);
  };
  await Promise.all(Array.from({ length: SCRIPTS_AT_ONCE }, worker));
}

async function order(...args: string[]): Promise<void> {
  const { exit, stdout, stderr } = await (fleet.controllers[0] as ServeProcess).run(...args);
  if (exit !== 0) ordered.push(`${args.join(" ")} ended with ${exit}:\n${stdout}${stderr}`);
}

function accountOf(client: Client): Account {
  return client.account === "native" ? NATIVE : system.application;
}

function proxyPort(number: number): number {
  return (fleet.proxies[number % fleet.proxies.length] as ServeProcess).proxyPort;
}

/** What the server lacks of a client's writes, or has twice, or has though nobody was told. */
async function missing(writer: Writer): Promise<string[]> {
  const rows = await system.old.root(
    `SELECT sequence, COUNT(*) AS copies FROM ledger.entry WHERE client = ${writer.number} GROUP BY sequence`,
  );
  const copies = new Map(rows.map((row) => [Number(row["sequence"]), Number(row["copies"])]));
  const findings: string[] = [];
  for (const sequence of writer.acknowledged) {
    if (copies.get(sequence) !== 1) findings.push(`write ${sequence} is there ${copies.get(sequence) ?? 0} times`);
    copies.delete(sequence);
  }
  for (const sequence of copies.keys()) findings.push(`write ${sequence} was never acknowledged`);
  const odd = writer.acknowledged.filter((sequence) => sequence % 2 === 1).length;
  const [counter] = await system.old.root(`SELECT n FROM ledger.counter WHERE client = ${writer.number}`);
  if (Number(counter?.["n"]) !== odd) findings.push(`the counter is ${counter?.["n"]}, ${odd} transactions were told`);
  return findings;
}

describe("clients through one migration", () => {
  test("the switch and the rollback went through", () => {
    process.stdout.write(`${table()}\n`);
    expect(ordered).toEqual([]);
  });

  test.each(CLIENTS)("$name does every step of the common script, or lacks it for a reason", (client) => {
    const run = direct.get(client);
    expect(run?.error).toBe("");
    expect([...(run?.steps.keys() ?? [])].sort()).toEqual(STEPS.filter((step) => !(step in client.lacks)).sort());
    // What any client must have found, whatever it makes of it.
    expect(run?.steps.get("text")).toMatch(/18446744073709551615|0xffffffffffffffff/);
    expect(run?.steps.get("duplicate")).toMatch(/1062|0x426/);
    expect(run?.steps.get("many")).toBe(`${MANY}\t${MANY_SUM}`);
  });

  test.each(CLIENTS)(
    "$name finds the same as at the server, before, during and after a switch and a rollback",
    (client) => {
      const runs = proxied.get(client) ?? [];
      expect(runs.map(({ phase }) => phase)).toEqual(expect.arrayContaining([...PHASES]));
      const expected = Object.fromEntries(direct.get(client)?.steps ?? []);
      for (const { phase, tls, run } of runs) {
        expect(run.error, `${phase}, TLS ${tls}`).toBe("");
        expect(Object.fromEntries(run.steps), `${phase}, TLS ${tls}`).toEqual(expected);
      }
    },
  );

  test.each(CLIENTS)("$name writes across a switch and a rollback: nothing is lost, doubled or refused", (client) => {
    const found = written.get(client);
    expect(found).toMatchObject({ error: "", findings: [] });
    for (const phase of PHASES) expect(found?.byPhase.get(phase), phase).toBeGreaterThan(0);
  });
});

/** For people: what each client has done, and what went wrong. */
function table(): string {
  const head = ["client", "version", "scripts", "steps", ...PHASES.map((phase) => `writes ${phase}`), "errors"];
  const rows = CLIENTS.map((client) => {
    const runs = proxied.get(client) ?? [];
    const writes = written.get(client);
    const steps = runs.reduce((sum, { run }) => sum + run.steps.size, 0);
    const errors = runs.filter(({ run }) => run.error !== "").length + (writes?.error === "" ? 0 : 1);
    const byPhase = PHASES.map((phase) => writes?.byPhase.get(phase) ?? 0);
    return [client.name, direct.get(client)?.version ?? "", runs.length, steps, ...byPhase, errors].map(String);
  });
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => row[i]?.length ?? 0)));
  return [head, ...rows].map((row) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ")).join("\n");
}
