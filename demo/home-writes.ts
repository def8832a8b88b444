import type { MysqlServer } from "../servers/mysql-server.ts";

/** A place in a server's binary log. */
export interface LogPlace {
  readonly file: string;
  readonly position: string;
}

export async function presentPlace(server: MysqlServer): Promise<LogPlace> {
  const [row] = await server.root("SHOW BINARY LOG STATUS");
  return { file: row?.["File"] ?? "", position: row?.["Position"] ?? "4" };
}

/**
 * How many transactions of clients the server has committed since `from`: those that carry the server's own GTIDs,
 * change tables of the shop, and do not change Switchyard's ledger, as each transaction that a stream applies does.
 */
export async function countClientTransactions(server: MysqlServer, from: LogPlace): Promise<number> {
  const [identity] = await server.root("SELECT @@server_uuid AS uuid");
  const uuid = identity?.["uuid"] ?? "";
  const logs = (await server.root("SHOW BINARY LOGS")).map((row) => row["Log_name"] ?? "");
  let count = 0;
  let own = false;
  let shop = false;
  let stream = false;
  const finish = (): void => {
    if (own && shop && !stream) count++;
    own = shop = stream = false;
  };
  for (const file of logs.filter((name) => name >= from.file)) {
    const start = file === from.file ? ` FROM ${from.position}` : "";
    for (const event of await server.root(`SHOW BINLOG EVENTS IN '${file}'${start}`)) {
      const info = event["Info"] ?? "";
      if (event["Event_type"] === "Gtid") {
        finish();
        own = info.includes(uuid);
      } else if (event["Event_type"] === "Table_map") {
        shop ||= info.includes("(shop.");
        stream ||= info.includes("(_switchyard.");
      }
    }
  }
  finish();
  return count;
}
