import mysql, { type Connection } from "mysql2/promise";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startRelay, type TcpRelay } from "../integration/proxy/tcp-relay.ts";
import { EtcdGateway } from "../support/etcd-gateway.ts";
import { Fleet } from "../support/fleet.ts";
import { LEDGER_TABLES, LedgerWriters } from "../support/ledger-writers.ts";
import type { CommandResult, ServeProcess } from "../support/serve-process.ts";
import { TestSystem } from "../support/system.ts";

const WRITERS = 6;
const LEASE_MS = 2000;
const LIMITS = `limits: { leaseTtlMs: ${LEASE_MS}, leaseMarginMs: 500, drainTimeoutMs: 4000 }`;

/** What clients of a proxy that has vanished may be told: their connections are gone, or nothing was written. */
const ALLOWED = /Connection lost|closed state|ECONNRESET|EPIPE|was given up; nothing was written/;

let system: TestSystem;
let fleet: Fleet;
let link: TcpRelay;
let clients = 0;
const writing: LedgerWriters[] = [];

beforeAll(async () => {
  system = await TestSystem.start();
  await system.resetTables();
  fleet = await Fleet.start(system, {
    more: LIMITS,
    link: async (port) => {
      link = await startRelay({ host: "127.0.0.1", port });
      return link.port;
    },
  });
  await done("migration", "create", "m", "--from", "old", "--to", "new", "--tables", LEDGER_TABLES, "--wait");
  await done("diff", "start", "m");
});

afterEach(async () => {
  for (const writers of writing.splice(0)) await writers.stop();
});

afterAll(async () => {
  await fleet?.stop();
  await link?.close();
  await system?.stop();
});

function proxy(index: 0 | 1): ServeProcess {
  const found = fleet.proxies[index];
  if (found === undefined) throw new Error("there is no such proxy");
  return found;
}

async function done(...args: readonly string[]): Promise<void> {
  const result = await proxy(0).run(...args);
  expect(result, `${args.join(" ")}\n${result.stdout}${result.stderr}`).toMatchObject({ exit: 0 });
}

async function write(url: string | undefined): Promise<LedgerWriters> {
  const writers = new LedgerWriters(url ?? "", WRITERS, 10, clients);
  clients += WRITERS;
  writing.push(writers);
  await writers.start();
  return writers;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function until<T>(look: () => Promise<T | undefined>, what: string): Promise<T> {
  const end = Date.now() + 60_000;
  let problem = "";
  while (Date.now() < end) {
    const found = await look().catch((error: unknown) => {
      problem = String(error);
      return undefined;
    });
    if (found !== undefined) return found;
    await sleep(20);
  }
  throw new Error(`not within a minute: ${what} ${problem}`);
}

/** The phase in which the migration rests, once nothing of an attempt is left. */
function settled(): Promise<string> {
  return until(async () => {
    const { migration } = (await proxy(0).get("/v1/migrations/m")) as {
      readonly migration?: { readonly phase?: string; readonly attempt?: unknown };
    };
    const { phase, attempt } = migration ?? {};
    return attempt === undefined && (phase === "running" || phase === "switched") ? phase : undefined;
  }, "the migration settles");
}

async function holds(): Promise<number> {
  const rules = (await new EtcdGateway(fleet.etcd.endpoint).all("/switchyard/")).get("/switchyard/rules");
  return Object.keys((JSON.parse(rules ?? "{}") as { readonly holds?: object }).holds ?? {}).length;
}

/** Where the next switch or rollback is ordered, and the order itself. */
async function move(): Promise<CommandResult> {
  return await proxy(0).run((await settled()) === "switched" ? "rollback" : "switch", "m");
}

/** A switch or rollback whose hold is in force and drains only once the client given here has ended its transaction. */
async function inAHold(): Promise<{ readonly order: Promise<CommandResult>; readonly last: Connection }> {
  const last = await mysql.createConnection(fleet.appUrls[0] ?? "");
  last.on("error", () => undefined);
  // A busy machine has the gate refuse at times: for a stream that is behind, or a transaction that is open for long.
  return await until(async () => {
    const way = (await settled()) === "switched" ? "rollback" : "switch";
    const gate = await proxy(0).run(way, "m", "--dry-run");
    if (gate.exit !== 0) throw new Error(gate.stderr + gate.stdout);
    await last.query("BEGIN");
    await last.query("INSERT INTO ledger.entry (client, sequence, note) VALUES (-1, 1, 'last')");
    let refused = false;
    const order = proxy(0).run(way, "m");
    void order.then(() => {
      refused = true;
    });
    while (!refused) {
      if ((await holds()) > 0) return { order, last };
      await sleep(20);
    }
    await last.query("ROLLBACK");
    return undefined;
  }, "a hold in the rules");
}

/** Lets the hold drain, waits for the end of the attempt, and looks at every row of both proxies' clients. */
async function settlesWell(
  { order, last }: Awaited<ReturnType<typeof inAHold>>,
  both: readonly LedgerWriters[],
  back: () => void,
): Promise<void> {
  await last.query("COMMIT").catch(() => undefined);
  await sleep(3 * LEASE_MS);
  back();
  last.destroy();
  await order;
  const home = (await settled()) === "switched" ? "new" : "old";
  expect(await holds()).toBe(0);
  // Both proxies serve by the same rules again.
  const fresh = await bothWrite();
  for (const writers of [...both, ...fresh]) {
    await writers.stop();
    expect(await writers.check(system[home])).toEqual([]);
  }
  const [unhurt, hit] = both;
  expect(unhurt?.told.errors.filter((error) => !ALLOWED.test(error))).toEqual([]);
  expect(hit?.told.errors.filter((error) => !ALLOWED.test(error))).toEqual([]);
  for (const writers of fresh) expect(writers.told).toMatchObject({ errors: [], unknown: 0 });
  await until(async () => ((await move()).exit === 0 ? true : undefined), "the fleet moves the tables again");
}

async function bothWrite(): Promise<readonly LedgerWriters[]> {
  const both = [await write(fleet.appUrls[0]), await write(fleet.appUrls[1])];
  const isAtWork = ({ told }: LedgerWriters): boolean => told.acknowledged > 10 * WRITERS;
  return await until(async () => (both.every(isAtWork) ? both : undefined), "clients of both proxies write");
}

describe("a proxy that cannot reach the store, alone in its fleet", () => {
  test("serves on while nothing is armed, for longer than its lease, and then takes part in a switch", async () => {
    const both = await bothWrite();
    link.away = true;
    link.cut();
    const before = both[1]?.told.acknowledged ?? 0;
    await sleep(3 * LEASE_MS);
    expect(both[1]?.told.acknowledged).toBeGreaterThan(before + 3 * WRITERS);
    link.away = false;
    await until(async () => ((await move()).exit === 0 ? true : undefined), "a switch that the proxy takes part in");
    const home = (await settled()) === "switched" ? "new" : "old";
    for (const writers of both) {
      await writers.stop();
      expect(await writers.check(system[home])).toEqual([]);
      expect(writers.told).toMatchObject({ errors: [], unknown: 0 });
    }
  });

  test("in the midst of a hold: the attempt ends without it, and it writes to no home that has been left", async () => {
    const both = await bothWrite();
    const attempt = await inAHold();
    link.away = true;
    link.cut();
    await settlesWell(attempt, both, () => {
      link.away = false;
    });
  });
});

describe("a proxy worker in the midst of a hold", () => {
  test("that is stopped past its lease and goes on: what it wakes up with reaches no home that has been left", async () => {
    const both = await bothWrite();
    const attempt = await inAHold();
    const pid = proxy(1).childPid("proxy-1");
    process.kill(pid, "SIGSTOP");
    await settlesWell(attempt, both, () => void process.kill(pid, "SIGCONT"));
  });

  test("that is killed: the one that takes its place joins under the hold, and nothing is lost or doubled", async () => {
    const both = await bothWrite();
    const attempt = await inAHold();
    process.kill(proxy(1).childPid("proxy-1"), "SIGKILL");
    await settlesWell(attempt, both, () => undefined);
  });
});
