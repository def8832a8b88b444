import { setTimeout as sleep } from "node:timers/promises";
import { childIds } from "../../../src/serve/ended-process.ts";
import type { FaultyLink } from "../../support/faulty-link.ts";
import type { ServeProcess } from "../../support/serve-process.ts";
import { stopProcess } from "../../support/stop-process.ts";
import type { Cell, Kind } from "./cells.ts";
import type { Stage } from "./stage.ts";

/** How long what was killed is away before the harness starts it again. */
const AWAY_MS = 300;
/** Of the two proxies the one that is hit; orders go through the other. */
export const HIT_PROXY = 1;
const FORGET_MS_MAX = 20_000;
const FORGET_AGAIN_MS = 200;

/** What a fault is done to. */
export interface Scene {
  readonly stage: Stage;
  readonly kind: Kind;
  /** The controller that runs the migration. */
  readonly runs: ServeProcess;
  /** For so long a process is stopped, and a link cut. */
  readonly awayMs: number;
  /** Whether a process of ours is hit with its whole machine, or alone. */
  readonly machine: boolean;
}

/** A fault that is in force. */
export interface Injected {
  /** Resolves once nothing is stopped or cut any more, and what the harness has to start again is started. */
  readonly over: Promise<void>;
}

/** Breaks something; resolves as soon as it is broken. */
export async function inject(cell: Pick<Cell, "victim" | "fault">, scene: Scene): Promise<Injected> {
  const { stage, runs } = scene;
  const { system, links, proxies } = stage;
  const [oldHome, newHome] = scene.kind === "switch" ? (["old", "new"] as const) : (["new", "old"] as const);
  const hit = proxies[HIT_PROXY];
  if (hit === undefined) throw new Error("there is no second proxy");
  switch (cell.victim) {
    case "proxy":
      return await hitProcess(cell, scene, hit, "proxy-1");
    case "controller":
      return await hitProcess(cell, scene, runs, "controller");
    case "etcd": {
      const { etcd } = stage.fleet;
      if (cell.fault === "cut") return cut(links.to("etcd"), scene);
      return cell.fault === "kill" ? await crash(etcd) : await stop(etcd.pid, scene);
    }
    case "old-home":
    case "new-home": {
      const home = cell.victim === "old-home" ? oldHome : newHome;
      if (cell.fault === "cut") return cut(links.to(home), scene);
      return cell.fault === "kill" ? await crash(system[home]) : await stop(system[home].pid, scene);
    }
  }
}

/** A process of ours is cut off from the store alone: it goes on reaching the servers, and must not do there what it may no more. */
async function hitProcess(
  { fault }: Pick<Cell, "fault">,
  scene: Scene,
  serve: ServeProcess,
  child: "proxy-1" | "controller",
): Promise<Injected> {
  const { links } = scene.stage;
  if (fault === "cut") {
    const toStore = new Set(links.to("etcd"));
    return cut(
      links.of(nameIn(scene.stage, serve)).filter((link) => toStore.has(link)),
      scene,
    );
  }
  const pid = serve.childPid(child);
  if (fault === "stop") return await stop(pid, scene, scene.machine ? -serve.pid : pid);
  if (!scene.machine) {
    process.kill(pid, "SIGKILL");
    return { over: Promise.resolve() };
  }
  await serve.killMachine();
  return { over: replaceMachine(scene, serve, child === "proxy-1" ? childIds(child, pid) : undefined) };
}

/** As the fleet names its processes. */
function nameIn({ proxies, controllers }: Stage, serve: ServeProcess): string {
  const proxy = proxies.indexOf(serve);
  return proxy === -1 ? `c${controllers.indexOf(serve) + 1}` : `p${proxy + 1}`;
}

function cut(links: readonly FaultyLink[], { awayMs }: Scene): Injected {
  const ended = links.reduce((sum, link) => sum + link.cutOff(), 0);
  if (ended === 0) throw new Error("nobody had a connection over what was cut");
  const over = async (): Promise<void> => {
    await sleep(awayMs);
    for (const link of links) link.restore();
  };
  return { over: over() };
}

/** `whole`: what is stopped with it, as `kill` names that. */
async function stop(pid: number, { awayMs }: Scene, whole = pid): Promise<Injected> {
  process.kill(whole, "SIGSTOP");
  await stopProcess(pid);
  const over = async (): Promise<void> => {
    await sleep(awayMs);
    process.kill(whole, "SIGCONT");
  };
  return { over: over() };
}

async function crash(server: { kill9(): Promise<void>; start(): Promise<void> }): Promise<Injected> {
  await server.kill9();
  const over = async (): Promise<void> => {
    await sleep(AWAY_MS);
    await server.start();
  };
  return { over: over() };
}

/**
 * Puts another machine in the place of one that is gone. Of a proxy nobody but an operator can know that it has ended, and
 * he says so once its lease has run out.
 */
async function replaceMachine({ stage }: Scene, serve: ServeProcess, gone: string | undefined): Promise<void> {
  await sleep(AWAY_MS);
  await serve.restart();
  if (gone === undefined) return;
  const [asked] = stage.proxies;
  const deadlineMs = performance.now() + FORGET_MS_MAX;
  let said = "";
  while (asked !== undefined && performance.now() < deadlineMs) {
    const { proxies = [] } = (await asked.get("/v1/proxies").catch(() => ({}))) as {
      readonly proxies?: readonly { readonly id: string; readonly alive: boolean }[];
    };
    const left = proxies.filter(({ id }) => id.startsWith(gone));
    if (proxies.length > 0 && left.length === 0) return;
    for (const { id, alive } of left) {
      if (alive) continue;
      const { stdout, stderr } = await asked.run("proxies", "forget", id, "--reason", "its machine is gone");
      said = stdout + stderr;
    }
    await sleep(FORGET_AGAIN_MS);
  }
  throw new Error(`proxy ${gone} could not be forgotten: ${said}`);
}
