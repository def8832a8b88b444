import mysql from "mysql2/promise";
import type { MysqlServer } from "../servers/mysql-server.ts";
import { selectAll, type Values, WRITTEN_TABLES } from "./written-tables.ts";

/** All rows of the written tables, read directly from a server as of one moment, in the session settings of the clients. */
export async function readWrittenTables(server: MysqlServer): Promise<Map<string, readonly Values[]>> {
  const connection = await mysql.createConnection({
    socketPath: server.socket,
    user: server.rootUser,
    charset: "utf8mb4",
    typeCast: (field) => field.string("utf8"),
  });
  try {
    await connection.query("SET time_zone = '+00:00'");
    await connection.query("START TRANSACTION WITH CONSISTENT SNAPSHOT");
    const found = new Map<string, readonly Values[]>();
    for (const table of WRITTEN_TABLES) {
      const [rows] = await connection.query(selectAll(table));
      found.set(table.table, rows as Values[]);
    }
    return found;
  } finally {
    connection.destroy();
  }
}
