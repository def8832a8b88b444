import type { MysqlServer } from "../servers/mysql-server.ts";
import { ROWS, SCHEMA } from "./schema.ts";

/** Rows of one INSERT: large enough to be quick, small enough for a short transaction. */
const CHUNK_ROWS = 20_000;

/** What fills each table from a number `n` = 0, 1, 2 …; the values are functions of `n` alone. */
const SELECTS: Readonly<Record<keyof typeof ROWS, string>> = {
  customers: `SELECT n + 1, CONCAT('customer', n, '@example.com'), CONCAT('Zoë Müller ', n),
      ELT(1 + n % 5, 'DE', 'FR', 'IN', 'BR', 'JP'), IF(n % 9 = 0, NULL, DATE '1950-01-01' + INTERVAL n % 20000 DAY),
      TIMESTAMP '2020-01-01 00:00:00' + INTERVAL n * 1000003 MICROSECOND,
      IF(n % 4 = 0, NULL, TIMESTAMP '2024-06-01 10:00:00' + INTERVAL n SECOND), n % 256 - 128, n * 37 % 16000000 - 8000000,
      1 + n % 3, n % 32, n % 2, IF(n % 7 = 0, NULL, n / 3)`,
  products: `SELECT CONCAT('SKU-', LPAD(n, 6, '0')), CONCAT('Product №', n, IF(n % 10 = 0, ' 🚲', '')),
      IF(n % 5 = 0, NULL, REPEAT(CONCAT('Line ', n, '. '), 1 + n % 20)), IF(n % 3 = 0, NULL, 'Übersee'), n % 100000 / 100 + 1,
      n % 3 * 7, n / 7, IF(n % 6 = 0, NULL, JSON_OBJECT('colour', ELT(1 + n % 3, 'red', 'blue', 'grün'), 'size', n % 50,
      'parts', JSON_ARRAY(n, n / 4e0, NULL, TRUE))), IF(n % 8 = 0, NULL, RANDOM_BYTES(64)), UNHEX(LEFT(SHA2(n, 256), 32)),
      IF(n % 4 = 0, NULL, UNHEX(CONCAT('00', LPAD(HEX(n), 8, '0'), 'FF'))), n % 4096, 1901 + n % 200,
      SEC_TO_TIME(n % 86400 + n % 1000 / 1000), IF(n % 2 = 0, NULL, SEC_TO_TIME(n % 1000000 - 500000))`,
  visits: `SELECT n DIV 2 + 1, DATE '2023-01-01' + INTERVAL n % 700 DAY,
      TIMESTAMP '2023-01-01 00:00:00' + INTERVAL n * 12345678 MICROSECOND, n % 65536 - 32768, n / 13,
      INET6_ATON(CONCAT('2001:db8::', HEX(n % 65536))), CONCAT('browser/', n % 90)`,
  orders: `SELECT n + 1, n % 120000 + 1, 0, 0, UNHEX(LEFT(SHA2(CONCAT('order', n), 256), 32)),
      TIMESTAMP '2024-01-01 00:00:00' + INTERVAL n * 61001000 MICROSECOND, 1 + n % 4, n % 90000 / 100,
      IF(n % 3 = 0, NULL, CONCAT('leave at the door, n° ', n))`,
  order_items: `SELECT n DIV 2 + 1, n % 2 + 1, CONCAT('SKU-', LPAD(n * 7 % 20000, 6, '0')), 1 + n % 9, n % 100000 / 100`,
  stock: `SELECT CONCAT('SKU-', LPAD(n DIV 2, 6, '0')), n % 2, 1000 + n % 500, 0`,
  accounts: `SELECT n + 1, CONCAT('Owner ', n), 10000, 0`,
};

/**
 * Makes the schema and its rows, inside the server, two tables at a time. Nothing of it depends on the time of day
 * but the pictures, which are random bytes.
 */
export async function seed(
  server: MysqlServer,
  onRows: (rows: number) => void,
  counts: Readonly<Record<keyof typeof ROWS, number>> = ROWS,
): Promise<number> {
  await server.root(SCHEMA.join(";\n"));
  const queue = Object.entries(counts).sort((a, b) => b[1] - a[1]);
  let done = 0;
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [table, rows] = next;
      for (let from = 0; from < rows; from += CHUNK_ROWS) {
        const count = Math.min(CHUNK_ROWS, rows - from);
        await server.root(insertOf(table as keyof typeof ROWS, from, count));
        done += count;
        onRows(done);
      }
    }
  };
  await Promise.all([worker(), worker()]);
  return done;
}

/** Columns that are given a value, where a generated one is not. */
const COLUMNS: Readonly<Record<string, string>> = {
  products: `(sku, title, description, origin, price, vat, weight, attributes, picture, fingerprint, label, options, made,
      open_from, open_until)`,
  orders: "(id, customer_id, client, sequence, number, placed_at, state, total, remark)",
};

function insertOf(table: keyof typeof ROWS, from: number, count: number): string {
  return `SET SESSION cte_max_recursion_depth = ${count}, time_zone = '+00:00', unique_checks = 0;
    INSERT INTO shop.${table} ${COLUMNS[table] ?? ""} WITH RECURSIVE numbers (n) AS
      (SELECT ${from} UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ${from + count}) ${SELECTS[table]} FROM numbers`;
}
