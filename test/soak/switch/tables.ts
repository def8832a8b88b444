/**
 * The tables that the clients write. Nothing is unique over (client, sequence): a write that is applied twice must be able
 * to show. A write has one or several parts, all in one transaction.
 */
export const SOAK_SCHEMA: readonly string[] = [
  "CREATE DATABASE ledger CHARACTER SET utf8mb4",
  `CREATE TABLE ledger.entry (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, client INT NOT NULL, sequence INT NOT NULL,
     part INT NOT NULL, note VARCHAR(60) NOT NULL, KEY by_client (client))`,
  "CREATE TABLE ledger.counter (client INT NOT NULL PRIMARY KEY, n INT NOT NULL)",
];

export const SOAK_TABLES: readonly string[] = ["ledger.entry", "ledger.counter"];

/** Every row of each table as one text, in the order of the key. */
export const ROWS_OF: Readonly<Record<string, string>> = {
  "ledger.entry": "SELECT id, client, sequence, part, note FROM ledger.entry ORDER BY id",
  "ledger.counter": "SELECT client, n FROM ledger.counter ORDER BY client",
};

/** A counter for each client. */
export function counterRows(clients: number): string {
  const rows = Array.from({ length: clients }, (_, client) => `(${client}, 0)`);
  return `INSERT INTO ledger.counter VALUES ${rows.join(", ")}`;
}
