import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { systemClock } from "../../../src/base/clock.ts";
import { type LogFields, type Logger, silentLogger } from "../../../src/base/logger.ts";
import { type Metrics, noMetrics } from "../../../src/metrics/metrics.ts";
import type { BackendAddress, ProxyLimits } from "../../../src/proxy/proxy-config.ts";
import { type ProxyWorker, startProxyWorker } from "../../../src/proxy/proxy-worker.ts";
import { withTable } from "../../../src/rules/rules-edits.ts";
import { changeRules, ensureRules } from "../../../src/rules/rules-store.ts";
import { SESSIONS_PREFIX } from "../../../src/rules/store-keys.ts";
import { EmbeddedStore } from "../../../src/store/embedded-store.ts";
import type { Address, Figures, FromWorkers, ToWorkers } from "./worker-messages.ts";

/** Short, so that who is never answered is given up while the campaign looks. */
const LIMITS: Partial<ProxyLimits> = {
  connectTimeoutMs: 1000,
  loginTimeoutMs: 2000,
  commandBytesMax: 4 * 1024 ** 2,
  longDataBytesMax: 4 * 1024 ** 2,
  orphanTimeoutMs: 1500,
  sessionsPerUserMax: 0,
};

/** A turn of the event loop that takes longer, and has used the processor for so long, starves every other session. */
const TURN_MS_MAX = 1000;
const LOOK_MS = 50;

const ends: Record<string, number> = {};
const reports: (() => Promise<string>)[] = [];
let backends = 0;
let clients = 0;

function tell(message: FromWorkers): void {
  process.send?.(message);
}

const metrics: Metrics = {
  ...noMetrics,
  counter: (name, labels) => ({
    add: () => {
      if (name === "sessions_total") clients += 1;
      if (name !== "disconnects_total") return;
      const end = Object.values(labels).join(" ");
      if (end !== "proxy limit") clients -= 1;
      ends[end] = (ends[end] ?? 0) + 1;
      if (end === "proxy internal") tell({ kind: "wrong", what: "a session has ended by a defect: proxy internal" });
    },
  }),
  gauge: (name) => ({
    set: () => undefined,
    add: (change) => {
      if (name === "backend_connections") backends += change;
    },
  }),
};

const log: Logger = {
  ...silentLogger,
  child: () => log,
  error: (fields: LogFields, message: string) =>
    tell({ kind: "wrong", what: `logged as an error: ${message} ${JSON.stringify(fields)}` }),
};

async function startOne(
  home: BackendAddress,
  others: readonly BackendAddress[],
  trusted: readonly string[],
): Promise<ProxyWorker> {
  const store = await EmbeddedStore.open({ directory: undefined, clock: systemClock, log: silentLogger });
  await ensureRules(store, home.name);
  for (const { name } of others) {
    await changeRules(store, (rules) => withTable(rules, `fuzz.at_${name}`, { to: name, migration: name }));
  }
  const worker = await startProxyWorker({
    config: {
      listen: { host: "127.0.0.1", port: 0 },
      name: "fuzzed",
      version: "0",
      backends: Object.fromEntries([home, ...others].map((address) => [address.name, address])),
      defaultBackend: home.name,
      tls: "generated",
      trustedNetworks: trusted,
      limits: LIMITS,
    },
    ...{ store, log, metrics, clock: systemClock },
  });
  reports.push(async () => (await store.get(SESSIONS_PREFIX + worker.id))?.value ?? "");
  return worker;
}

async function start(mysql: Address, hostile: readonly Address[]): Promise<void> {
  const home: BackendAddress = { name: "home", ...mysql, tls: { mode: "preferred" } };
  const strangers = hostile.map(
    (address, index): BackendAddress => ({
      ...{ name: `hostile${index}`, ...address, tls: { mode: "preferred" } },
      ...(index % 2 === 1 ? { compression: { algorithms: ["zlib", "zstd", "uncompressed"] } } : {}),
    }),
  );
  const plain = await startOne(home, strangers, []);
  const balanced = await startOne(home, strangers, ["127.0.0.1"]);
  const atHostile: number[] = [];
  for (const stranger of strangers) atHostile.push((await startOne(stranger, [], [])).port);
  tell({ kind: "started", port: plain.port, balancedPort: balanced.port, atHostile });
}

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

async function figures(settle: boolean): Promise<Figures> {
  // Buffers are freed by another thread, which the next collection waits for.
  for (let round = 0; settle && round < 4; round++) {
    collect();
    await sleep(30);
  }
  const resources: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) resources[kind] = (resources[kind] ?? 0) + 1;
  const { rss, heapUsed, external } = process.memoryUsage();
  const sessions = await Promise.all(reports.map((report) => report()));
  return { rssBytes: rss, heapBytes: heapUsed, externalBytes: external, resources, sessions, backends, clients, ends };
}

/** A machine that is busy with something else lets timers come late as well: only a turn that has worked counts. */
function watchTurns(): void {
  let lastMs = performance.now();
  let lastCpu = process.cpuUsage();
  setInterval(() => {
    const now = performance.now();
    const tookMs = now - lastMs - LOOK_MS;
    const workedMs = process.cpuUsage(lastCpu).user / 1000;
    if (tookMs > TURN_MS_MAX && workedMs > TURN_MS_MAX) {
      tell({ kind: "wrong", what: `the event loop stood still for ${Math.round(tookMs)} ms` });
    }
    lastMs = now;
    lastCpu = process.cpuUsage();
  }, LOOK_MS);
}

watchTurns();
process.on("disconnect", () => process.exit(0));
process.on("message", (message: ToWorkers) => {
  if (message.kind === "start") void start(message.mysql, message.hostile);
  else if (message.kind === "stop") process.exit(0);
  else {
    void figures(message.settle).then((found) => tell({ kind: "figures", id: message.id, figures: found }));
  }
});
