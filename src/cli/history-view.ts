import type { HistoryEntry } from "../cutover/migration-document.ts";
import type { OrderRecord } from "../cutover/order-record.ts";
import { table } from "./format.ts";

/** What the admin API tells of the history of a migration. */
export interface History {
  readonly history: readonly HistoryEntry[];
  readonly orders: readonly OrderRecord[];
}

/** What happened and what was ordered, by time; an order stands where it ended. */
export function describeHistory({ history, orders }: History): string {
  const rows = [...history.map(entryRow), ...orders.map(orderRow)].sort(([a = ""], [b = ""]) => (a < b ? -1 : 1));
  return table(rows);
}

function entryRow({ at, who, what, reason, result }: HistoryEntry): readonly string[] {
  return [at, who, what, [reason === undefined ? "" : `(${reason})`, result ?? ""].join(" ").trim()];
}

function orderRow(order: OrderRecord): readonly string[] {
  const { endedAt, at, who, command, options, reason, outcome, error } = order;
  const given = Object.entries(options).filter(([, value]) => value !== false && value !== undefined);
  const words = given.map(([name, value]) => (value === true ? name : `${name}=${text(value)}`));
  const came = [reason === undefined ? "" : `(${reason})`, `asked at ${at}:`, error ?? outcome].join(" ").trim();
  return [endedAt, who, `order ${[command, ...words].join(" ")}`, came];
}

function text(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
