import { setTimeout as sleep } from "node:timers/promises";
import mysql from "mysql2/promise";
import { printedRows } from "./home-rows.ts";
import { type HomeName, MIGRATION, type Stage } from "./stage.ts";

/** The log of the server that is not the home is looked at every two seconds, and read from the cut on. */
const SHOWN_MS_MAX = 15_000;
const LOOK_MS = 50;
const ORDER_MS_MAX = 30_000;

/**
 * Writes that got in past the proxies on the server that is not the home: where the process that held its lock, or the
 * server itself, was killed while no lasting fence stood, nobody could refuse them. They must be shown by
 * themselves; then an operator takes them away and compares, and they are lost by his order.
 *
 * Resolves with whether there were some, and what was found of those that nobody was shown.
 */
export async function settleStrays(
  stage: Stage,
  home: HomeName,
): Promise<{ readonly some: boolean; readonly findings: readonly string[] }> {
  const other = home === "old" ? "new" : "old";
  const { client } = stage.bypasses[other];
  const sql = `SELECT sequence FROM ledger.entry WHERE client = ${client} GROUP BY sequence`;
  const there = await printedRows(stage.system[other], sql);
  // Whatever he had written before the cut is on both.
  const kept = new Set(await printedRows(stage.system[home], sql));
  const strays = new Set(there.filter((sequence) => !kept.has(sequence)).map(Number));
  if (strays.size === 0) return { some: false, findings: [] };
  const shown = await shownWithin(stage, SHOWN_MS_MAX);
  const findings =
    shown > 0 ? [] : [`${strays.size} writes past the proxies are on ${other} alone, and are shown nowhere`];
  const removedAt = new Date().toISOString();
  await remove(stage, other, `client = ${client} AND sequence IN (${[...strays].join(", ")})`);
  for (const write of stage.clients.ledger.writesOf(client)) {
    if (!strays.has(write.sequence)) continue;
    write.state = "refused";
    write.deletion = "acknowledged";
  }
  // A stream that came to a row of that number has stopped.
  await stage.orders.done(`/v1/migrations/${MIGRATION}/resume`, {}, ORDER_MS_MAX).catch(() => undefined);
  await stage.settle(ORDER_MS_MAX);
  // What the operator has done there is a write past the proxies as well, and is shown a moment later.
  await removalShown(stage, removedAt);
  await stage.compare();
  return { some: true, findings };
}

/** The fence lets Switchyard's own account pass. */
async function remove({ system }: Stage, home: HomeName, rows: string): Promise<void> {
  const connection = await mysql.createConnection(system.ownAccount(system[home]));
  try {
    await connection.query(`DELETE FROM ledger.entry WHERE ${rows}`);
  } finally {
    connection.destroy();
  }
}

/** How many strays the status of the migration shows, once it shows any. */
async function shownWithin(stage: Stage, ms: number): Promise<number> {
  const deadlineMs = performance.now() + ms;
  for (;;) {
    const page = await stage.orders.get(`/v1/migrations/${MIGRATION}`);
    const { status } = (page ?? {}) as { readonly status?: { readonly strays?: { readonly total: number } } };
    const total = status?.strays?.total ?? 0;
    if (total > 0 || performance.now() > deadlineMs) return total;
    await sleep(LOOK_MS);
  }
}

/** Waits until the history tells of the removal, so that the next cell is not taken for its cause. */
async function removalShown(stage: Stage, since: string): Promise<void> {
  const deadlineMs = performance.now() + SHOWN_MS_MAX;
  for (;;) {
    const page = (await stage.orders.get(`/v1/migrations/${MIGRATION}/history`)) ?? {};
    const history = (page["history"] ?? []) as readonly { readonly at: string; readonly what: string }[];
    if (history.some(({ at, what }) => at > since && what.includes("delete on ledger.entry"))) return;
    if (performance.now() > deadlineMs) return;
    await sleep(LOOK_MS);
  }
}
