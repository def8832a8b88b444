import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import mysql from "mysql2/promise";
import type { SwitchyardProcess } from "../../demo/switchyard-process.ts";
import type { BenchContext, Figure } from "../frame/bench.ts";
import { proxyWorker } from "../frame/bench-switchyard.ts";

const AT_ONCE = 16;
const WARM_UP_SESSIONS = 200;
const SETTLE_MS = 2_000;

export interface IdleSessionsOptions {
  readonly switchyard: SwitchyardProcess;
  readonly account: { readonly user: string; readonly password: string; readonly schema: string };
  readonly sessions: number;
}

/**
 * By how much the worker's resident memory grows with each client that is logged in and idle. Before the first look
 * some sessions have come and gone, so that what is loaded and compiled once is not counted; nothing is collected by
 * hand.
 */
export async function idleSessionBytes(context: BenchContext, options: IdleSessionsOptions): Promise<Figure> {
  const pid = proxyWorker(options.switchyard);
  await close(await open(options, Math.min(WARM_UP_SESSIONS, options.sessions)));
  await sleep(SETTLE_MS);
  const before = residentBytes(pid);
  const sessions = await open(options, options.sessions);
  await sleep(SETTLE_MS);
  const after = residentBytes(pid);
  await close(sessions);
  context.say(`${options.sessions} idle sessions: the worker has grown from ${before} to ${after} bytes\n`);
  return { metric: "idle_session_bytes", ours: (after - before) / options.sessions, peer: null, peerName: "none" };
}

async function open(
  { switchyard, account: { user, password, schema } }: IdleSessionsOptions,
  count: number,
): Promise<mysql.Connection[]> {
  const connections: mysql.Connection[] = [];
  while (connections.length < count) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - connections.length) }, () =>
      mysql.createConnection({ host: "127.0.0.1", port: switchyard.port, user, password, database: schema }),
    );
    connections.push(...(await Promise.all(some)));
  }
  return connections;
}

async function close(connections: readonly mysql.Connection[]): Promise<void> {
  await Promise.all(connections.map((connection) => connection.end()));
}

function residentBytes(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  if (kib === undefined) throw new Error(`process ${pid} has no resident memory`);
  return Number(kib) * 1024;
}
