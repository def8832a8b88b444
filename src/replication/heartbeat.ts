import type { RowsEvent } from "../binlog/binlog-event.ts";
import { RowWalker } from "../binlog/row-walker.ts";
import { valueText } from "../binlog/value-text.ts";
import type { Connection } from "../mysql/connection.ts";
import { SIDECAR_SCHEMA } from "../rules/sidecar-schema.ts";
import { HEARTBEAT_TABLE, SIDECAR } from "./sidecar.ts";
import type { StreamName } from "./stream-session.ts";

/** Numbers of beats are exact below it. */
export const BEAT_MAX = 2 ** 48;

/** Writes a stream's beat on the server that the stream follows; it comes back in that server's log. */
export async function writeBeat(connection: Connection, name: StreamName, number: number): Promise<void> {
  await connection.query(
    `INSERT INTO ${SIDECAR.heartbeat} (migration, direction, beat) VALUES ` +
      `('${name.migration}', '${name.direction}', ${number}) AS fresh ON DUPLICATE KEY UPDATE beat = fresh.beat`,
  );
}

/** The number of the last beat of a stream in an event; undefined where it has none. */
export function beatOf(event: RowsEvent, name: StreamName): number | undefined {
  const { schema, table, columns } = event.table;
  if (schema !== SIDECAR_SCHEMA || table !== HEARTBEAT_TABLE || event.operation === "delete") return undefined;
  const [, second, third] = columns;
  if (second === undefined || third === undefined) return undefined;
  const walker = new RowWalker(event);
  let beat: number | undefined;
  while (walker.next()) {
    const { buffer, starts, ends } = walker.after;
    const migration = buffer.toString("latin1", starts[0], ends[0]);
    // An ENUM, by number: forward is 1.
    const direction = valueText(second, true, buffer, starts[1] ?? 0) === "1" ? "forward" : "reverse";
    if (migration !== name.migration || direction !== name.direction) continue;
    beat = Number(valueText(third, true, buffer, starts[2] ?? 0));
  }
  return beat;
}
