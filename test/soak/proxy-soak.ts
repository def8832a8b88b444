import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { Connection } from "mysql2/promise";
import { seed } from "../integration/proxy/proxy-harness.ts";
import { startServers, stopServers, type TestServer } from "../support/servers.ts";
import { BusyClients, connectClient, OTHER_ROWS } from "./busy-clients.ts";
import { levelOf } from "./level.ts";
import type { SoakWorkerMessage, SoakWorkerOrder } from "./proxy-soak-worker.ts";
import { type Soak, wholeNumber } from "./soak.ts";

/** In the worker: of the client and of both homes. */
const DESCRIPTORS_PER_SESSION = 3;
const DESCRIPTORS_OF_OTHERS = 500;
/** One of so many idle sessions has used the tables that move, so each switch has to see to it. */
const IDLE_PER_MOVED = 10;
const LOGINS_AT_ONCE = 16;
const SAMPLES = 60;
const SAMPLE_MS_MIN = 1000;
const PROGRESS_MS = 10_000;
const MIB = 1024 * 1024;
const HEAP_GROWTH_MAX = 0.03;
const HEAP_MORE_BYTES = 2 * MIB;
const HANDLE_GROWTH_MAX = 0.01;
const HANDLES_MORE = 20;
/** A machine that does other things too is slow, not wrong. */
const SWAPS_SHARE_MIN = 0.5;
const PROBLEMS_SHOWN_MAX = 20;
const DURABILITY = ["--innodb-flush-log-at-trx-commit=2", "--sync-binlog=0"];

type Sample = Extract<SoakWorkerMessage, { is: "sample" }>;

/** What is seen while it runs. */
interface Seen {
  readonly samples: Sample[];
  readonly problems: string[];
  swaps: number;
  longestSwapMs: number;
}

/**
 * Thousands of idle sessions and some busy ones at one proxy worker, whose rules are swapped once a second: no client may
 * see an error, no row may be lost or doubled, and memory and handles must level off.
 */
export const soak: Soak = {
  usage: [
    "--minutes N    how long the rules are swapped (10)",
    "--sessions N   idle sessions, as far as the limit on descriptors allows (5000)",
    "--busy N       busy sessions (200)",
  ],
  run: async (args) => {
    const { values } = parseArgs({
      args: [...args],
      options: {
        minutes: { type: "string", default: "10" },
        sessions: { type: "string", default: "5000" },
        busy: { type: "string", default: "200" },
      },
    });
    const minutes = wholeNumber("minutes", values.minutes, 1);
    const busy = wholeNumber("busy", values.busy, 1);
    const wanted = wholeNumber("sessions", values.sessions, 0);
    const limit = descriptorLimit();
    const places = Math.floor((limit - DESCRIPTORS_OF_OTHERS) / DESCRIPTORS_PER_SESSION) - busy;
    const idle = Math.max(0, Math.min(wanted, places));
    say(
      `${idle} of ${wanted} idle sessions (a process may have ${limit} descriptors), ${busy} busy ones, ${minutes} min`,
    );
    const connections = ["--max-connections", idle + busy + 100].join("=");
    const servers = await startServers(["old", "new"], { args: [...DURABILITY, connections] });
    try {
      return (await run(servers, { minutes, busy, idle })) ? 0 : 1;
    } finally {
      await stopServers(servers);
    }
  },
};

async function run(
  servers: Readonly<Record<"old" | "new", TestServer>>,
  { minutes, busy, idle }: { readonly minutes: number; readonly busy: number; readonly idle: number },
): Promise<boolean> {
  await seed(servers);
  const rows = Array.from({ length: OTHER_ROWS }, (_, index) => `(${index + 1}, 0, '')`).join(",");
  for (const server of [servers.old, servers.new]) await server.root(`INSERT INTO shop.other VALUES ${rows}`);
  const durationMs = minutes * 60_000;
  const seen: Seen = { samples: [], problems: [], swaps: 0, longestSwapMs: 0 };
  const { child, port } = await startWorker(servers, Math.max(SAMPLE_MS_MIN, durationMs / SAMPLES), seen);
  try {
    const sleepers = await openIdle(port, idle, seen.problems);
    const clients = new BusyClients();
    await clients.start(port, busy);
    say(`${sleepers.length} sessions are idle, ${busy} busy`);
    order(child, "swap");
    const progress = setInterval(() => say(progressLine(seen, clients)), PROGRESS_MS);
    await sleep(durationMs);
    clearInterval(progress);
    await clients.stop();
    say(progressLine(seen, clients));
    await askAll(sleepers, seen.problems);
    const problems = [...seen.problems, ...clients.errors, ...(await clients.check([servers.old, servers.new]))];
    return verdict(seen, problems, durationMs);
  } finally {
    if (child.exitCode === null) order(child, "end");
    if (child.exitCode === null) await once(child, "exit");
  }
}

async function startWorker(
  servers: Readonly<Record<"old" | "new", TestServer>>,
  sampleMs: number,
  seen: Seen,
): Promise<{ child: ChildProcess; port: number }> {
  const place = ({ host, port }: TestServer) => ({ host, port });
  const options = { old: place(servers.old), new: place(servers.new), sampleMs };
  const file = new URL("./proxy-soak-worker.ts", import.meta.url);
  const child = fork(file, [JSON.stringify(options)], { execArgv: ["--expose-gc"] });
  const ready = Promise.withResolvers<number>();
  child.on("exit", (code, signal) => {
    seen.problems.push(...(code === 0 ? [] : [`the worker ended with ${signal ?? code}`]));
    ready.reject(new Error("the worker ended"));
  });
  child.on("message", (message: SoakWorkerMessage) => {
    if (message.is === "ready") ready.resolve(message.port);
    else if (message.is === "sample") seen.samples.push(message);
    else if (message.is === "problem") seen.problems.push(message.problem);
    else {
      seen.swaps += 1;
      seen.longestSwapMs = Math.max(seen.longestSwapMs, message.ms);
    }
  });
  return { child, port: await ready.promise };
}

async function openIdle(port: number, count: number, problems: string[]): Promise<Connection[]> {
  const connections: Connection[] = [];
  while (connections.length < count) {
    const some = Array.from({ length: Math.min(LOGINS_AT_ONCE, count - connections.length) }, async (_, index) => {
      const connection = await connectClient(port);
      connection.on("error", (error) => problems.push(`an idle session has ended: ${error}`));
      if ((connections.length + index) % IDLE_PER_MOVED === 0) await connection.query("SELECT id FROM orders LIMIT 1");
      return connection;
    });
    connections.push(...(await Promise.all(some)));
  }
  return connections;
}

/** Each idle session still answers, by the table that may be anywhere now. */
async function askAll(connections: readonly Connection[], problems: string[]): Promise<void> {
  for (let from = 0; from < connections.length; from += LOGINS_AT_ONCE) {
    const some = connections.slice(from, from + LOGINS_AT_ONCE).map(async (connection) => {
      try {
        await connection.query("SELECT id FROM orders LIMIT 1");
      } catch (error) {
        problems.push(`an idle session does not answer: ${error}`);
      }
      connection.destroy();
    });
    await Promise.all(some);
  }
}

function verdict(seen: Seen, problems: string[], durationMs: number): boolean {
  const heap = levelOf(
    seen.samples.map(({ heapBytes }) => heapBytes),
    HEAP_GROWTH_MAX,
    HEAP_MORE_BYTES,
  );
  const handles = levelOf(
    seen.samples.map((one) => one.handles),
    HANDLE_GROWTH_MAX,
    HANDLES_MORE,
  );
  const mib = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`;
  say(
    `heap after collection: ${mib(heap.middle)} in the middle third, ${mib(heap.last)} in the last, at most ${mib(heap.max)}`,
  );
  say(
    `handles: ${handles.middle} in the middle third, ${handles.last} in the last, at most ${Math.floor(handles.max)}`,
  );
  if (!heap.level) problems.push("the heap has not levelled off");
  if (!handles.level) problems.push("the handles have not levelled off");
  const swapsMin = Math.floor((durationMs / 1000) * SWAPS_SHARE_MIN);
  if (seen.swaps < swapsMin) problems.push(`${seen.swaps} swaps; at least ${swapsMin} were due`);
  for (const problem of problems.slice(0, PROBLEMS_SHOWN_MAX)) say(`  ${problem}`);
  say(problems.length === 0 ? "nothing was found" : `FAILED: ${problems.length} problems`);
  return problems.length === 0;
}

function progressLine({ swaps, longestSwapMs, samples, problems }: Seen, clients: BusyClients): string {
  const last = samples.at(-1);
  const memory =
    last === undefined
      ? ""
      : `, heap ${(last.heapBytes / MIB).toFixed(1)} MiB, resident ${(last.residentBytes / MIB).toFixed(0)} MiB, ${last.handles} handles`;
  const found = problems.length + clients.errors.length;
  return `${swaps} swaps (the longest ${longestSwapMs.toFixed(0)} ms), ${clients.rounds} rounds of clients${memory}, ${found} problems`;
}

/** How many descriptors a process may have; Node raises its own limit to the hard one. */
function descriptorLimit(): number {
  const soft = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
  if (soft === undefined) throw new Error("/proc/self/limits does not tell the limit on descriptors");
  return Number(soft);
}

function order(child: ChildProcess, what: SoakWorkerOrder): void {
  child.send(what);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
