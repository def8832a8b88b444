/**
 * Where a statement must be executed: at the home that it names, at neither since the proxy refuses it, or at either
 * (`any`, its tables do not matter). `orders` and `items` have moved to `new`; all other tables are on `old`.
 */
export interface RoutingCase {
  readonly sql: string;
  readonly runs: "old" | "new" | "refused";
  readonly why: string;
  /** The backend that a comment ahead of it asks for. */
  readonly hint?: string;
  /** Only as text: the server itself does not prepare it, or it is several statements. */
  readonly textOnly?: true;
  /** What the server answers, where that is an error; it was executed there all the same. */
  readonly errno?: number;
  /** Run at the end, so that the next case finds the session as it was. */
  readonly undo?: string;
}

const on = (runs: RoutingCase["runs"], cases: Readonly<Record<string, string>>): readonly RoutingCase[] =>
  Object.entries(cases).map(([sql, why]) => ({ sql, runs, why }));

const texts = (runs: RoutingCase["runs"], cases: Readonly<Record<string, string>>): readonly RoutingCase[] =>
  on(runs, cases).map((one) => ({ ...one, textOnly: true }));

/** Reads. */
export const READS: readonly RoutingCase[] = [
  ...on("new", {
    "SELECT o.note FROM orders AS o JOIN items i ON i.id = o.id": "aliases",
    "SELECT other.note FROM orders AS other": "an alias that is another table's name",
    "SELECT o.id FROM orders o, items AS i WHERE o.id = i.id": "a list with commas",
    "SELECT * FROM (orders o LEFT JOIN items i USING (id))": "a join in parentheses",
    "SELECT * FROM {OJ orders o LEFT OUTER JOIN items i ON o.id = i.id}": "the escape of ODBC",
    "WITH other AS (SELECT id FROM orders) SELECT * FROM other": "an expression that hides a table",
    "WITH orders AS (SELECT id FROM orders) SELECT * FROM orders": "an expression reads the table that it hides",
    "WITH orders AS (SELECT 1 AS id) SELECT * FROM shop.orders": "a name with its schema is no expression",
    "WITH a AS (SELECT 1 AS id), b AS (SELECT id FROM a) SELECT * FROM b JOIN orders USING (id)": "a chain of them",
    "SELECT * FROM (SELECT id FROM orders) AS other": "a derived table",
    "SELECT * FROM orders o, LATERAL (SELECT COUNT(*) AS n FROM items i WHERE i.id = o.id) AS x": "LATERAL",
    "SELECT id FROM orders UNION SELECT id FROM items": "UNION",
    "(SELECT id FROM orders) UNION ALL (SELECT id FROM items) ORDER BY id": "UNION in parentheses",
    "SELECT id FROM orders EXCEPT SELECT id FROM items": "EXCEPT",
    "TABLE orders": "TABLE",
    "SELECT (SELECT COUNT(*) FROM orders) AS n": "a subquery among the columns",
    "SELECT 1 WHERE EXISTS (SELECT 1 FROM orders)": "a subquery in a condition",
    "SELECT id FROM orders FOR UPDATE": "a locking read",
    "SELECT id /*! FROM orders */": "a comment that is executed",
    "SELECT id /*!80000 FROM orders */": "a comment that newer servers execute",
    "SELECT * FROM `shop`.`orders`": "quoted names",
    "SELECT * FROM shop . orders": "names with spaces around the dot",
    "SELECT * FROM orders PARTITION (p0)": "partitions of a table that has none",
    "EXPLAIN SELECT * FROM orders": "EXPLAIN",
    "SHOW CREATE TABLE orders": "SHOW CREATE TABLE",
    "SHOW COLUMNS FROM orders FROM shop": "SHOW COLUMNS",
    "SHOW INDEX FROM orders": "SHOW INDEX",
    "CHECKSUM TABLE orders": "CHECKSUM",
    "DO (SELECT COUNT(*) FROM orders)": "DO",
  }).map((one) => (one.sql.includes("PARTITION") ? { ...one, errno: 1747, textOnly: true as const } : one)),
  ...on("old", {
    "WITH orders AS (SELECT id FROM other) SELECT * FROM orders": "an expression hides the table that has moved",
    "WITH RECURSIVE orders AS (SELECT 1 AS id UNION ALL SELECT id + 1 FROM orders WHERE id < 3) SELECT * FROM orders":
      "a recursive one reads itself",
    "SELECT 1 /* FROM orders */ -- FROM orders": "comments that are none but comments",
    "SELECT 'FROM orders', \"orders\" FROM other": "a name in a string",
    "SELECT * FROM other AS orders": "an alias that is the name of one that has moved",
    "SELECT orders.id FROM other AS orders JOIN third AS items": "and two of them",
    "VALUES ROW(1), ROW(2)": "no table",
    "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_NAME = 'orders'": "tables of the server itself",
    "SELECT * FROM plain.orders": "a table of the same name in another schema",
  }),
  ...texts("new", { "DESCRIBE orders": "DESCRIBE" }),
  {
    sql: "SELECT * FROM Orders",
    runs: "old",
    why: "with other letters it is another table",
    errno: 1146,
    textOnly: true,
  },
  ...on("refused", {
    "SELECT * FROM orders JOIN other USING (id)": "a join across homes",
    "SELECT id FROM orders UNION SELECT id FROM other": "a union across homes",
    "WITH x AS (SELECT id FROM orders) SELECT * FROM x JOIN other USING (id)": "an expression reads the other home",
    "SELECT * FROM other WHERE id IN (SELECT id FROM orders)": "a subquery reads the other home",
    "SELECT (SELECT MAX(id) FROM orders) FROM other": "a subquery among the columns does",
    "SELECT 1 /*!99990 FROM orders */": "a comment that not every server executes: it is not guessed which",
    "SELECT id FROM other /*! WHERE id IN (SELECT id FROM orders) */": "a comment that is executed does",
  }),
];

/** Writes. */
export const WRITES: readonly RoutingCase[] = [
  ...on("new", {
    "INSERT INTO orders (note) VALUES ('a')": "INSERT",
    "INSERT orders SET note = 'b'": "INSERT … SET",
    "INSERT INTO orders (id, note) VALUES (1, 'c') ON DUPLICATE KEY UPDATE note = 'c'": "ON DUPLICATE KEY",
    "INSERT INTO orders (note) SELECT note FROM items": "INSERT … SELECT",
    "INSERT INTO orders (note) WITH x AS (SELECT note FROM items) SELECT note FROM x": "INSERT … WITH",
    "REPLACE INTO orders (id, note) VALUES (1, 'd')": "REPLACE",
    "REPLACE INTO orders (note) SELECT note FROM items": "REPLACE … SELECT",
    "UPDATE orders o JOIN items i ON i.id = o.id SET o.note = 'e', i.note = 'f'": "UPDATE of several tables",
    "WITH x AS (SELECT id FROM items) UPDATE orders SET note = 'g' WHERE id IN (SELECT id FROM x)": "WITH … UPDATE",
    "DELETE o, i.* FROM orders o JOIN items i ON i.id = o.id": "DELETE of several tables",
    "DELETE FROM o USING orders AS o JOIN items AS i ON i.id = o.id": "DELETE … USING",
    "DELETE FROM orders WHERE id IN (SELECT id FROM items)": "DELETE with a subquery",
    "WITH x AS (SELECT id FROM items) DELETE FROM orders WHERE id IN (SELECT id FROM x)": "WITH … DELETE",
  }),
  ...on("old", {
    "INSERT INTO other (note) VALUES ('a')": "INSERT",
    "UPDATE other AS orders SET orders.note = 'h'": "UPDATE under the name of one that has moved",
    "DELETE orders FROM other AS orders JOIN third AS t ON t.id = orders.id": "DELETE under such a name",
    "REPLACE INTO other (note) SELECT note FROM third": "REPLACE",
  }),
  ...on("refused", {
    "INSERT INTO orders (note) SELECT note FROM other": "INSERT … SELECT across homes",
    "INSERT INTO other (note) SELECT note FROM orders": "and the other way",
    "REPLACE INTO orders (note) SELECT note FROM other": "REPLACE across homes",
    "UPDATE orders o JOIN other x ON x.id = o.id SET o.note = x.note": "UPDATE across homes",
    "UPDATE other SET note = (SELECT MAX(note) FROM orders)": "UPDATE from the other home",
    "DELETE o FROM orders o JOIN other x ON x.id = o.id": "DELETE across homes",
    "DELETE FROM other WHERE id IN (SELECT id FROM orders)": "DELETE by the other home",
  }),
];

/** Definitions and locks, in an order in which each finds what it needs. */
export const DEFINITIONS: readonly RoutingCase[] = [
  ...on("new", {
    "ALTER TABLE orders ADD COLUMN extra INT": "ALTER",
    "CREATE INDEX by_extra ON orders (extra)": "CREATE INDEX",
    "DROP INDEX by_extra ON orders": "DROP INDEX",
    "ALTER TABLE orders DROP COLUMN extra": "ALTER again",
    "ANALYZE TABLE orders": "ANALYZE",
    "TRUNCATE orders": "TRUNCATE",
    "DROP TABLE items": "DROP",
    "CREATE TABLE items (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(100))": "CREATE of a name that has moved",
  }),
  ...on("old", {
    "CREATE TABLE fresh (id INT PRIMARY KEY)": "a name that is new",
    "ALTER TABLE fresh ADD COLUMN note INT": "ALTER",
    "RENAME TABLE fresh TO fresher": "RENAME",
    "DROP TABLE fresher": "DROP",
  }),
  ...texts("new", { "LOCK TABLES orders WRITE, items AS i READ": "locks of one home" }).map((one) => ({
    ...one,
    undo: "UNLOCK TABLES",
  })),
  ...texts("refused", {
    "LOCK TABLES orders READ, other READ": "locks across homes",
    "SELECT * FROM orders; SELECT * FROM other": "statements sent together, across homes",
    "CALL dynamic()": "a procedure that prepares statements",
    "CALL both_homes()": "a procedure with tables of both homes",
    "CALL none_of_that_name()": "a procedure that nobody knows",
  }),
  ...on("refused", {
    "RENAME TABLE orders TO other2": "a table does not change its home by its name",
    "DROP TABLE orders, other": "DROP across homes",
    "CREATE TABLE copied LIKE orders": "LIKE across homes",
    "CREATE TABLE copied AS SELECT * FROM orders": "AS SELECT across homes",
    "CREATE VIEW another AS SELECT * FROM orders": "a view that nobody knows yet",
    "GRANT SELECT ON shop.orders TO app": "accounts concern every home",
  }),
  ...texts("refused", {
    "CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW SET NEW.note = 'x'": "a trigger may touch any table",
  }),
  ...texts("new", {
    "USE plain; SELECT * FROM shop.orders": "USE, and a name with its schema",
    "USE plain; USE shop; SELECT * FROM orders": "USE of the schema itself",
  }).map((one) => ({ ...one, undo: "USE shop" })),
  ...texts("old", { "USE plain; SELECT * FROM orders": "USE of a schema where that name has not moved" }).map(
    (one) => ({
      ...one,
      undo: "USE shop",
    }),
  ),
  ...texts("refused", {
    "SELECT * FROM orders; USE plain; SELECT * FROM orders": "the same name on both sides of a USE",
  }),
];

/** Texts in which double quotes enclose names. */
export const ANSI: readonly RoutingCase[] = [
  ...on("new", { 'SELECT * FROM "orders"': "a quoted name", 'SELECT * FROM "shop"."items" AS "other"': "two of them" }),
  ...on("old", { "SELECT 'orders' FROM \"other\"": "a string and a name" }),
  ...on("refused", { 'SELECT * FROM "orders" JOIN "other" USING (id)': "across homes" }),
];

/** `FILE` is a file of two lines that client and server can read. */
export const FILES: readonly RoutingCase[] = [
  ...texts("new", {
    "LOAD DATA INFILE FILE INTO TABLE orders (note)": "a file of the server's",
    "LOAD DATA LOCAL INFILE FILE REPLACE INTO TABLE orders (note)": "a file of the client's",
    "LOAD DATA INFILE FILE INTO TABLE orders (note) SET client = (SELECT COUNT(*) FROM items)": "with a subquery",
    "LOAD XML LOCAL INFILE FILE INTO TABLE orders": "XML",
  }),
  ...texts("old", { "LOAD DATA LOCAL INFILE FILE INTO TABLE other (note)": "into a table that has not moved" }),
  ...texts("refused", {
    "LOAD DATA LOCAL INFILE FILE INTO TABLE orders (note) SET client = (SELECT COUNT(*) FROM other)": "across homes",
  }),
];

/** What stands behind a name that is no table. */
export const NAMES_BEHIND: readonly RoutingCase[] = [
  ...on("new", {
    "SELECT * FROM seen": "a view",
    "SELECT x.id FROM seen AS x JOIN items USING (id)": "a view and a table",
    "SELECT * FROM above": "a view of a view",
    "INSERT INTO seen (note) VALUES ('v')": "a view that is written",
    "UPDATE seen SET note = 'w'": "a view that is written",
    "SHOW CREATE VIEW seen": "its definition",
    "SELECT newest()": "a function",
    "SELECT shop . newest() FROM orders": "a function and a table, its schema apart",
    "SELECT `shop`.`newest`() AS n": "quoted",
    "SELECT id, harmless(id) FROM orders": "a function that uses no table, which goes along",
    "INSERT INTO loud (note) VALUES ('x')": "a table whose trigger writes to one of this home",
    "SELECT (SELECT MAX(id) FROM by_function) AS n": "a view that calls a function",
  }).map((one) => (one.sql.includes("shop . newest") ? { ...one, runs: "refused" as const } : one)),
  ...on("old", {
    "SELECT * FROM calm": "a view of tables that have not moved",
    "SELECT last_of_other()": "a function that uses such a table",
    "SELECT harmless(1)": "a function that uses no table",
    "INSERT INTO quiet (note) VALUES ('x')": "a table whose trigger stays with it",
  }),
  ...on("refused", {
    "SELECT * FROM seen JOIN other USING (id)": "a view across homes",
    "SELECT newest() FROM other": "a function across homes",
    "SELECT last_of_other() FROM orders": "and the other way",
    "SELECT unheard_of(1)": "a function that nobody knows",
    "SELECT * FROM mixed": "a view of tables of both homes",
    "INSERT INTO torn (note) VALUES ('x')": "a table whose trigger writes to the other home",
    "CREATE OR REPLACE VIEW seen AS SELECT * FROM other": "a view that would change its home",
  }),
  { sql: "SELECT * FROM torn", runs: "old", why: "a table that is only read fires no trigger" },
];

const hinted = (hint: string, cases: readonly RoutingCase[]): readonly RoutingCase[] =>
  cases.map((one) => ({ ...one, hint }));

/** Of a user whose hints are followed. */
export const HINTS: readonly RoutingCase[] = [
  ...hinted("old", [
    ...on("old", {
      "SELECT * FROM orders": "a read looks at the server that it asks for",
      "SELECT * FROM orders JOIN other USING (id)": "also at tables of two homes, as they are there",
      "SELECT * FROM seen": "or at a view",
      "SHOW CREATE TABLE orders": "or at a definition",
      "EXPLAIN DELETE FROM orders": "or at a plan",
      "INSERT INTO other (note) VALUES ('h')": "a write goes to its home, if that is what it asks for",
      "SELECT 1": "no table",
    }),
    ...on("refused", {
      "INSERT INTO orders (note) VALUES ('h')": "no write leaves its home",
      "DELETE FROM orders": "none",
      "SELECT * FROM orders FOR UPDATE": "nor does a lock",
      "SELECT newest()": "nor what calls a function, which may write",
      "SELECT * FROM orders INTO @x": "nor what leaves something in the session",
      "TRUNCATE orders": "nor a definition",
      "CALL adds_order('h')": "nor a procedure",
    }),
    ...texts("refused", { "SELECT 1 FROM orders; SELECT 2 FROM orders": "nor several statements" }),
  ]),
  ...hinted("new", [
    ...on("new", { "SELECT * FROM other": "the other way", "UPDATE orders SET note = 'h'": "a write at its home" }),
    ...on("refused", { "UPDATE other SET note = 'h'": "no write leaves its home" }),
  ]),
  ...hinted("nowhere", on("refused", { "SELECT * FROM orders": "no backend of that name" })),
];

/** Of anybody else. */
export const IGNORED_HINTS: readonly RoutingCase[] = [
  ...hinted("old", on("new", { "SELECT * FROM orders": "for others it is a comment" })),
  ...hinted("nowhere", on("new", { "INSERT INTO orders (note) VALUES ('h')": "whatever it says" })),
];

/** After a CALL the session cannot leave: one session each. */
export const CALLS: readonly RoutingCase[] = [
  ...on("new", { "SELECT id FROM spoken": "a view with quotes in a text" }),
  ...on("new", { "CALL quoting()": "a procedure whose text the information schema shows without its escapes" }),
  ...on("new", { "CALL adds_order('p')": "a procedure that writes", "CALL shop.ADDS_ORDER('q')": "in other letters" }),
  ...on("old", { "CALL reads_other()": "a procedure that reads a table that has not moved", "CALL nothing()": "none" }),
  { sql: "CALL calls_another('r')", runs: "new", why: "a procedure that calls one" },
];

/** After these the session cannot leave: what they have assigned or opened is on one server. */
export const ASSIGNMENTS: readonly RoutingCase[] = [
  ...on("new", {
    "SET @n = (SELECT COUNT(*) FROM orders)": "SET from a subquery",
    "SELECT note INTO @note FROM orders LIMIT 1": "INTO a variable",
  }),
  ...texts("new", { "HANDLER orders OPEN": "HANDLER" }),
];
