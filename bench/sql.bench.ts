import { analyzeSql } from "../src/sql/classifier.ts";
import type { SqlModes } from "../src/sql/statement.ts";
import type { Bench, BenchContext, Figure } from "./frame/bench.ts";
import { median } from "./frame/figures.ts";

const MODES: SqlModes = { ansiQuotes: false, noBackslashEscapes: false };
const ROUNDS = 9;
const MICROSECONDS_PER_MS = 1000;
const PASSES = { full: 20_000, tiny: 20 } as const;

/** What applications send most of the time, as drivers and frameworks write it. */
const TYPICAL: readonly string[] = [
  "SELECT c FROM sbtest1 WHERE id=5012",
  "SELECT `users`.* FROM `users` WHERE `users`.`email` = 'ann@example.org' LIMIT 1",
  "UPDATE orders SET status = 'paid', paid_at = NOW() WHERE id = 88123 AND version = 4",
  "INSERT INTO order_lines (order_id, product_id, quantity, price) VALUES (88123, 17, 2, 9.95)",
  "DELETE FROM sessions WHERE expires_at < '2026-11-24 10:00:00' LIMIT 100",
  "SELECT o.id, o.total, c.name FROM orders o JOIN customers c ON c.id = o.customer_id WHERE c.id = 512 ORDER BY o.id DESC LIMIT 20",
  "SELECT COUNT(*) AS n FROM orders WHERE status = 'open' AND created_at >= '2026-11-01'",
  "INSERT INTO counters (name, n) VALUES ('visits', 1) ON DUPLICATE KEY UPDATE n = n + 1",
  "BEGIN",
  "COMMIT",
];

const SINGLE: Readonly<Record<string, string>> = {
  sql_point_select_us: "SELECT c FROM sbtest1 WHERE id=5012",
  sql_join_us:
    "SELECT o.id, o.total, c.name FROM orders o JOIN customers c ON c.id = o.customer_id WHERE c.id = 512 ORDER BY o.id DESC LIMIT 20",
  sql_insert_us: "INSERT INTO order_lines (order_id, product_id, quantity, price) VALUES (88123, 17, 2, 9.95)",
};

/** How long it takes to know a statement that the proxy sees for the first time. */
export const bench: Bench = {
  name: "sql",
  about: "tokens, kind and tables of a statement, without the cache of decisions that the proxy puts before it",
  run: (context) => {
    context.describe("statements", TYPICAL);
    const figures: Figure[] = [];
    const measure = (metric: string, statements: readonly string[]): void => {
      if (context.wants(metric)) figures.push(figure(metric, context, statements));
    };
    measure("sql_typical_statement_us", TYPICAL);
    if (context.all) for (const [metric, statement] of Object.entries(SINGLE)) measure(metric, [statement]);
    return Promise.resolve(figures);
  },
};

function figure(metric: string, context: BenchContext, statements: readonly string[]): Figure {
  const texts = statements.map((statement) => Buffer.from(statement));
  const passes = PASSES[context.size];
  pass(texts, passes);
  const rounds = Array.from({ length: context.rounds(ROUNDS) }, () => pass(texts, passes));
  for (const [index, us] of rounds.entries()) context.say(`round ${index + 1}  ${metric}: ${us.toFixed(3)}`);
  return { metric, ours: median(rounds), peer: null, peerName: "none" };
}

/** Microseconds for one statement. */
function pass(texts: readonly Buffer[], passes: number): number {
  let found = 0;
  const startedAt = performance.now();
  for (let count = 0; count < passes; count++) {
    for (const text of texts) found += analyzeSql(text, MODES).length;
  }
  const elapsedMs = performance.now() - startedAt;
  if (found !== passes * texts.length) throw new Error("a text was not read as the one statement that it is");
  return (elapsedMs * MICROSECONDS_PER_MS) / (passes * texts.length);
}
