import type { WorkContext } from "./client-work.ts";
import { skuOf } from "./schema.ts";

/** A read that did not give what the client itself had written: says what was seen. */
export class StaleRead extends Error {
  override readonly name = "StaleRead";
}

/** Prepared: the client's own row must read as the client left it, wherever it lives by now. */
export async function readOwnCart({ client, session, random, carts }: WorkContext): Promise<void> {
  const token = [...carts.keys()][random.below(Math.max(1, carts.size))];
  if (token === undefined) return;
  const { rows } = await session.prepared("SELECT sequence, note FROM carts WHERE client = ? AND token = ?", [
    client,
    token,
  ]);
  const expected = carts.get(token);
  const [row] = rows;
  if (rows.length !== 1 || String(row?.["sequence"]) !== expected?.["sequence"] || row?.["note"] !== expected["note"]) {
    throw new StaleRead(
      `cart ${client}/${token} reads ${JSON.stringify(rows)}, written was ${JSON.stringify(expected)}`,
    );
  }
}

/** Text, a join over two written tables. */
export async function readOwnOrder({ session, random, orders }: WorkContext): Promise<void> {
  const order = orders[random.below(Math.max(1, orders.length))];
  if (order === undefined) return;
  const { rows } = await session.text(
    "SELECT o.state, i.line FROM orders AS o JOIN order_items AS i ON i.order_id = o.id WHERE o.id = ? ORDER BY i.line",
    [order.id],
  );
  if (rows.length !== order.lines.length || rows.some((row) => row["state"] !== order.state)) {
    throw new StaleRead(`order ${order.id} reads ${JSON.stringify(rows)}, written was ${JSON.stringify(order)}`);
  }
}

/** Reads of what nobody writes: by a unique key, by a string key, and an aggregate inside a transaction. */
export async function browse({ session, random }: WorkContext): Promise<void> {
  const n = random.below(120_000);
  const { rows } = await session.prepared("SELECT id, name, newsletter FROM customers WHERE email = ?", [
    `customer${n}@example.com`,
  ]);
  if (String(rows[0]?.["id"]) !== String(n + 1)) throw new StaleRead(`customer ${n} reads ${JSON.stringify(rows)}`);
  await session.text("START TRANSACTION READ ONLY");
  await session.text("SELECT title, price, attributes FROM products WHERE sku = ?", [skuOf(random.below(20_000))]);
  await session.text("SELECT COUNT(*), SUM(pages) FROM visits WHERE customer_id = ?", [n + 1]);
  await session.text("COMMIT");
}
