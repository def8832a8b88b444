import { createConnection } from "mysql2/promise";
import type { Endpoint } from "../../src/mysql/endpoint.ts";
import { BULK_SCHEMA, type BulkData, type BulkTable } from "./bulk-data.ts";
import { xorshift } from "./xorshift.ts";

const DEADLOCK = 1213;
const TRIES_MAX = 100;

/** Lets clients commit this many transactions of the data's own changes; each transaction writes to one table. */
export async function writeChanges(
  endpoint: Pick<Endpoint, "host" | "port" | "user" | "password">,
  data: BulkData,
  transactions: number,
  clients: number,
): Promise<void> {
  let left = transactions;
  const client = async (number: number): Promise<void> => {
    const { host, port, user, password } = endpoint;
    const connection = await createConnection({
      host,
      port,
      user,
      password,
      database: BULK_SCHEMA,
      multipleStatements: true,
    });
    const random = xorshift(number + 1);
    try {
      while (left > 0) {
        left -= 1;
        const table = data.tables[random() % data.tables.length];
        if (table !== undefined) await commit(connection, data, table, random);
      }
    } finally {
      connection.destroy();
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, number) => client(number)));
}

/** A transaction that the server ended as the victim of a deadlock is made anew, with other rows. */
async function commit(
  connection: Awaited<ReturnType<typeof createConnection>>,
  data: BulkData,
  table: BulkTable,
  random: () => number,
): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    const statements = data.change?.(table, random) ?? [];
    try {
      await connection.query(["BEGIN", ...statements, "COMMIT"].join("; "));
      return;
    } catch (error) {
      if ((error as { readonly errno?: number }).errno !== DEADLOCK || tries >= TRIES_MAX) throw error;
    }
  }
}
