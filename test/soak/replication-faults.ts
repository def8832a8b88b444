import { setTimeout as sleep } from "node:timers/promises";
import type { Failpoint } from "../../src/base/failpoints.ts";
import type { FaultyLink } from "../support/faulty-link.ts";
import type { ServeProcess } from "../support/serve-process.ts";
import type { TestServer } from "../support/servers.ts";

const POINT_LOOK_MS = 20;

/** What can be broken, by the name of the end of the stream that it is at. */
export interface Breakable {
  readonly serve: ServeProcess;
  readonly servers: Readonly<Record<"old" | "new", TestServer>>;
  readonly links: Readonly<Record<"old" | "new", FaultyLink>>;
}

type Fault = (breakable: Breakable, random: () => number) => Promise<boolean>;

const ofTwo = (random: () => number): "old" | "new" => (random() < 0.5 ? "old" : "new");

/** Sends a signal to the process that runs the stream; false where it is just being started again. */
function signalController({ serve }: Breakable, signal: NodeJS.Signals): number | undefined {
  const pid = serve.childPid("controller");
  try {
    process.kill(pid, signal);
    return pid;
  } catch {
    return undefined;
  }
}

async function killServer(server: TestServer, random: () => number): Promise<boolean> {
  await server.kill9();
  await sleep(random() * 600);
  await server.start();
  return true;
}

async function stopFor(pid: number, ms: number): Promise<boolean> {
  process.kill(pid, "SIGSTOP");
  await sleep(ms);
  try {
    process.kill(pid, "SIGCONT");
  } catch {
    // It has been ended meanwhile.
  }
  return true;
}

/** What breaks something at a random moment, and mends it again. Resolves with false where there was nothing to break. */
const FAULTS = {
  "kill -9 of the stream's process": (breakable) =>
    Promise.resolve(signalController(breakable, "SIGKILL") !== undefined),
  "kill -9 of the old server": ({ servers }, random) => killServer(servers.old, random),
  "kill -9 of the new server": ({ servers }, random) => killServer(servers.new, random),
  "kill -9 of everything at once": async (breakable, random) => {
    const { servers } = breakable;
    signalController(breakable, "SIGKILL");
    await Promise.all([killServer(servers.old, random), killServer(servers.new, random)]);
    return true;
  },
  "a link is cut": ({ links }, random) => {
    links[ofTwo(random)].cut();
    return Promise.resolve(true);
  },
  "a link is silent for a while": async ({ links }, random) => {
    await links[ofTwo(random)].silence(300 + random() * 4000);
    return true;
  },
  "the stream's connections are stranded": ({ links }, random) => Promise.resolve(links[ofTwo(random)].strand() > 0),
  "SIGSTOP of the stream's process": async (breakable, random) => {
    const pid = breakable.serve.childPid("controller");
    return await stopFor(pid, 200 + random() * 3000).catch(() => false);
  },
  "SIGSTOP of a server": ({ servers }, random) => stopFor(servers[ofTwo(random)].pid, 200 + random() * 2000),
} as const satisfies Record<string, Fault>;

export type FaultName = keyof typeof FAULTS;

/** How often each is chosen; two of three are kills. */
const WEIGHTS: Readonly<Record<FaultName, number>> = {
  "kill -9 of the stream's process": 5,
  "kill -9 of the old server": 3,
  "kill -9 of the new server": 3,
  "kill -9 of everything at once": 1,
  "a link is cut": 2,
  "a link is silent for a while": 1,
  "the stream's connections are stranded": 1,
  "SIGSTOP of the stream's process": 1,
  "SIGSTOP of a server": 1,
};

/** How many processes a fault kills. */
const KILLS: Readonly<Partial<Record<FaultName, number>>> = {
  "kill -9 of the stream's process": 1,
  "kill -9 of the old server": 1,
  "kill -9 of the new server": 1,
  "kill -9 of everything at once": 3,
};

/** One whose name holds `only`. */
export function randomFault(random: () => number, only: string): FaultName {
  const names = (Object.keys(WEIGHTS) as FaultName[]).filter((name) => name.includes(only));
  let left = random() * names.reduce((sum, name) => sum + WEIGHTS[name], 0);
  for (const name of names) {
    left -= WEIGHTS[name];
    if (left < 0) return name;
  }
  throw new Error(`no fault is called "${only}"; there are ${Object.keys(WEIGHTS).join(", ")}`);
}

/** Does it, and resolves with the number of processes killed once what was ended runs again. */
export async function breakBy(name: FaultName, breakable: Breakable, random: () => number): Promise<number> {
  const fault: Fault = FAULTS[name];
  return (await fault(breakable, random)) ? (KILLS[name] ?? 0) : 0;
}

/** Lets the stream's process be killed where it next comes to `point`; false where it does not come there in time. */
export async function killAt(point: Failpoint, { serve, links }: Breakable, waitMs: number): Promise<boolean> {
  serve.armFailpoints(point);
  // A stream claims when it has lost its connections.
  if (point === "stream-after-claim") links.new.cut();
  const deadline = performance.now() + waitMs;
  while (serve.failpointsLeft.length > 0 && performance.now() < deadline) await sleep(POINT_LOOK_MS);
  const killed = serve.failpointsLeft.length === 0;
  serve.armFailpoints();
  return killed;
}
