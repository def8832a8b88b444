import { createHash } from "node:crypto";
import type { ClientSession } from "./client-session.ts";
import type { Effect } from "./ledger.ts";
import type { Random } from "./random.ts";
import { skuOf } from "./schema.ts";
import type { Values } from "./written-tables.ts";

const STATES = ["placed", "paid", "shipped", "returned"];
const CART_TOKENS = ["today", "Später", "списокъ", "🎁", "wish list"];
const OWN_ORDERS_MAX = 40;

interface OrderLine {
  readonly line: number;
  readonly sku: string;
  readonly quantity: number;
}

/** What a client works with: its connection, and its own rows as it left them. */
export interface WorkContext {
  readonly client: number;
  readonly session: ClientSession;
  readonly random: Random;
  /** This write's number, which it carries into the rows. */
  readonly sequence: number;
  readonly carts: Map<string, Values>;
  /** What this write does if it is acknowledged; filled before the statement that can make it last is sent. */
  readonly effects: Effect[];
  readonly orders: { id: string; lines: OrderLine[]; state: string }[];
}

/** Brings the client's own view up to date, once its write has been acknowledged. */
export type AfterWrite = () => void;

const nothingAfter: AfterWrite = () => undefined;

/** Autocommit, text protocol, a row that all clients share. */
export async function restock({ session, random, effects }: WorkContext): Promise<AfterWrite> {
  const key = { sku: skuOf(random.below(10_000)), warehouse: String(random.below(2)) };
  const quantity = random.below(19) - 9;
  effects.push({ do: "add", table: "shop.stock", key, amounts: { quantity: String(quantity), movements: "1" } });
  await session.text(
    "UPDATE stock SET quantity = quantity + ?, movements = movements + 1 WHERE sku = ? AND warehouse = ?",
    [quantity, key.sku, key.warehouse],
  );
  return nothingAfter;
}

/** A transaction of several statements: money moves between two shared rows, and an entry without a unique key says so. */
export async function transfer({ client, sequence, session, random, effects }: WorkContext): Promise<AfterWrite> {
  const debit = 1 + random.below(2_000);
  const credit = 1 + ((debit + random.below(1_998)) % 2_000);
  const amount = cents(1 + random.below(5_000));
  const sides = [
    { id: debit, amount: `-${amount}` },
    { id: credit, amount },
  ].sort((a, b) => a.id - b.id);
  for (const side of sides) {
    const amounts = { balance: side.amount, transfers: "1" };
    effects.push({ do: "add", table: "shop.accounts", key: { id: String(side.id) }, amounts });
    const sql = "UPDATE accounts SET balance = balance + ?, transfers = transfers + 1 WHERE id = ?";
    await session.text(sql, [side.amount, side.id]);
  }
  const row = {
    client: String(client),
    sequence: String(sequence),
    debit: String(debit),
    credit: String(credit),
    amount,
    booked_at: timeOf(sequence, 6),
    memo: `Überweisung № ${sequence} — ${random.pick(["rent", "lunch", "gift 🎁"])}`,
  };
  const { insertId } = await session.text(
    "INSERT INTO transfers (client, sequence, debit, credit, amount, booked_at, memo) VALUES (?, ?, ?, ?, ?, ?, ?)",
    Object.values(row),
  );
  effects.push({ do: "insert", table: "shop.transfers", row: { id: insertId, ...row } });
  return nothingAfter;
}

/** A transaction of prepared statements: an order, its lines, and the stock that they take. */
export async function placeOrder(context: WorkContext): Promise<AfterWrite> {
  const { client, sequence, session, random, orders, effects } = context;
  const customer = 1 + random.below(120_000);
  const totalCents = 100 + random.below(100_000);
  const number = createHash("sha256").update(`${client}/${sequence}`).digest("hex").slice(0, 32).toUpperCase();
  const placed = timeOf(sequence, 3);
  const total = cents(totalCents);
  const remark = random.below(3) === 0 ? null : `client ${client}, write ${sequence} ✓`;
  const { insertId: id } = await session.prepared(
    "INSERT INTO orders (customer_id, client, sequence, number, placed_at, total, remark) VALUES (?, ?, ?, UNHEX(?), ?, ?, ?)",
    [customer, client, sequence, number, placed, total, remark],
  );
  const carried = { client: String(client), sequence: String(sequence) };
  const fixed = { number, placed_at: placed, state: "placed", total, total_cents: String(totalCents), remark };
  const row = { id, customer_id: String(customer), ...carried, ...fixed };
  effects.push({ do: "insert", table: "shop.orders", row });
  const lines = await orderLines(context, id);
  return () => {
    orders.push({ id, lines, state: "placed" });
    if (orders.length > OWN_ORDERS_MAX) orders.shift();
  };
}

async function orderLines({ session, random, effects }: WorkContext, id: string): Promise<OrderLine[]> {
  const first = random.below(10_000);
  const lines = Array.from({ length: 1 + random.below(3) }, (_, index) => ({
    line: index + 1,
    sku: skuOf((first + index * 101) % 10_000),
    quantity: 1 + random.below(5),
  }));
  for (const { line, sku, quantity } of lines) {
    const price = cents(100 + line);
    const row = { order_id: id, line: String(line), sku, quantity: String(quantity), price };
    effects.push({ do: "insert", table: "shop.order_items", row });
    const sql = "INSERT INTO order_items (order_id, line, sku, quantity, price) VALUES (?, ?, ?, ?, ?)";
    await session.prepared(sql, [id, line, sku, quantity, price]);
  }
  // Rows that clients share are taken in the order of their keys, so that no two clients wait for each other.
  for (const { sku, quantity } of lines.toSorted((a, b) => (a.sku < b.sku ? -1 : 1))) {
    const amounts = { quantity: String(-quantity), movements: "1" };
    effects.push({ do: "add", table: "shop.stock", key: { sku, warehouse: "0" }, amounts });
    const sql = "UPDATE stock SET quantity = quantity - ?, movements = movements + 1 WHERE sku = ? AND warehouse = 0";
    await session.prepared(sql, [quantity, sku]);
  }
  return lines;
}

/** Autocommit, prepared: one of the client's own orders goes on. */
export async function advanceOrder(context: WorkContext): Promise<AfterWrite> {
  const { session, random, orders, sequence, effects } = context;
  const order = orders[random.below(Math.max(1, orders.length))];
  if (order === undefined) return restock(context);
  const state = random.pick(STATES);
  const values = { state, sequence: String(sequence) };
  effects.push({ do: "set", table: "shop.orders", key: { id: order.id }, values });
  await session.prepared("UPDATE orders SET state = ?, sequence = ? WHERE id = ?", [state, sequence, order.id]);
  return () => {
    order.state = state;
  };
}

/** A transaction that deletes one of the client's own orders, line by line. */
export async function cancelOrder(context: WorkContext): Promise<AfterWrite> {
  const { session, random, orders, effects } = context;
  const order = orders[random.below(Math.max(1, orders.length))];
  if (order === undefined) return restock(context);
  for (const { line } of order.lines) {
    effects.push({ do: "delete", table: "shop.order_items", key: { order_id: order.id, line: String(line) } });
    await session.text("DELETE FROM order_items WHERE order_id = ? AND line = ?", [order.id, line]);
  }
  effects.push({ do: "delete", table: "shop.orders", key: { id: order.id } });
  await session.text("DELETE FROM orders WHERE id = ?", [order.id]);
  return () => void orders.splice(orders.indexOf(order), 1);
}

/** Autocommit, prepared: a row under a string key appears or is written over as a whole. */
export async function saveCart(context: WorkContext): Promise<AfterWrite> {
  const { client, sequence, session, random, carts, effects } = context;
  const token = random.pick(CART_TOKENS);
  const item = { qty: 1 + random.below(9), sku: skuOf(random.below(20_000)) };
  const row = {
    client: String(client),
    token,
    sequence: String(sequence),
    // As the server prints it: keys by length, then by bytes.
    contents: `{"qty": ${item.qty}, "sku": "${item.sku}", "gift": ${random.below(2) === 0}}`,
    discount: String(random.below(64) / 64),
    note: random.below(4) === 0 ? null : `Größe ${random.below(50)}, 25 £`,
    saved_at: timeOf(sequence, 3),
  };
  effects.push({ do: "put", table: "shop.carts", row });
  await session.prepared(
    `INSERT INTO carts (client, token, sequence, contents, discount, note, saved_at) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON DUPLICATE KEY UPDATE sequence = VALUES(sequence), contents = VALUES(contents), discount = VALUES(discount),
     note = VALUES(note), saved_at = VALUES(saved_at)`,
    Object.values(row),
  );
  return () => void carts.set(token, row);
}

/** Autocommit, text: the row goes. */
export async function dropCart(context: WorkContext): Promise<AfterWrite> {
  const { client, session, random, carts, effects } = context;
  const token = [...carts.keys()][random.below(Math.max(1, carts.size))];
  if (token === undefined) return saveCart(context);
  effects.push({ do: "delete", table: "shop.carts", key: { client: String(client), token } });
  await session.text("DELETE FROM carts WHERE client = ? AND token = ?", [client, token]);
  return () => void carts.delete(token);
}

function cents(amount: number): string {
  return `${Math.floor(amount / 100)}.${String(amount % 100).padStart(2, "0")}`;
}

/** A moment that belongs to a write, with a fraction; not the present, so that a replay can tell it. */
function timeOf(sequence: number, places: number): string {
  const moment = new Date(Date.UTC(2025, 0, 1) + sequence * 1_237);
  const micros = String((sequence * 7) % 1_000).padStart(3, "0");
  return `${moment.toISOString().replace("T", " ").slice(0, 23)}${micros}`.slice(0, 20 + places);
}
