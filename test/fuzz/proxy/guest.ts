import type { Socket } from "node:net";
import { CAP, COM, HEADER_BYTES } from "../../../src/wire/capabilities.ts";
import { frame, PacketWriter } from "../../../src/wire/packet-writer.ts";
import type { Random } from "../random.ts";
import { BASE, query } from "./client-commands.ts";
import { leave, quiet } from "./delivery.ts";
import { loggedIn } from "./hostile-client.ts";

const REPLY_MS = 500;

/**
 * A well behaved client at a hostile server: its proxy must survive what the server says, and must ask it for no file
 * unless its own statement loads one.
 *
 * @param table the table that lives on the hostile server
 */
export async function visit(port: number, table: string, random: Random): Promise<void> {
  let socket: Socket;
  try {
    socket = await loggedIn(port, BASE | CAP.LOCAL_FILES | (random.below(2) === 0 ? CAP.DEPRECATE_EOF : 0));
  } catch {
    return;
  }
  const reads = random.below(5) !== 0;
  let asked = false;
  let first = true;
  if (reads) {
    socket.on("data", (chunk: Buffer) => {
      // The first packet of an answer: what follows may be cut in any way, and is not what is looked for.
      if (first && chunk.length > HEADER_BYTES && chunk[HEADER_BYTES] === 0xfb) asked = true;
      first = false;
    });
  } else socket.pause();
  for (const statement of statements(table, random)) {
    if (socket.destroyed) break;
    first = true;
    socket.write(frame(statement, 0));
    await quiet(socket, 25, REPLY_MS);
    if (asked) throw new Error(`a server was let ask for a file by ${statement.toString("latin1", 0, 60)}`);
  }
  leave(socket, random);
}

function statements(table: string, random: Random): Buffer[] {
  const prepare = new PacketWriter().u8(COM.STMT_PREPARE).bytes(`SELECT v FROM ${table} WHERE v = ?`).payload();
  const execute = Buffer.concat([Buffer.from([COM.STMT_EXECUTE, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1])]);
  const all = [
    query(`SELECT v FROM ${table}`),
    query(`INSERT INTO ${table} (v) VALUES ('x')`),
    query("SET @a = 'kept', sql_mode = 'ANSI_QUOTES'"),
    query("BEGIN"),
    query(`UPDATE ${table} SET v = 'y'`),
    query("SELECT LAST_INSERT_ID()"),
    query("COMMIT"),
    query("SELECT 1"),
    query("SHOW WARNINGS"),
    prepare,
    execute,
    execute,
    Buffer.from([COM.PING]),
    Buffer.from([COM.RESET_CONNECTION]),
  ];
  return Array.from({ length: 2 + random.below(6) }, () => random.pick(all) ?? Buffer.from([COM.PING]));
}
