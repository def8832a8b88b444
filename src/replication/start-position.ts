import { GtidSet } from "../gtid/gtid-set.ts";
import type { Connection } from "../mysql/connection.ts";
import type { Direction } from "./direction.ts";
import { SIDECAR } from "./sidecar.ts";

/**
 * Writes where a stream of `direction` will start, under the token of one attempt to switch, into the sidecar of the
 * server that the stream will write to. A position under another token is never used, so what an aborted attempt
 * left behind does no harm. Writing the same token again replaces its position.
 */
export async function writeStartPosition(
  connection: Connection,
  migration: string,
  direction: Direction,
  token: string,
  position: GtidSet,
): Promise<void> {
  await connection.query(
    `REPLACE INTO ${SIDECAR.startPosition} (migration, direction, token, gtids)` +
      ` VALUES ('${migration}', '${direction}', '${token}', '${position.toString()}')`,
  );
}

/** The position written under `token`, read with a lock so that a write whose commit is under way is seen. */
export async function readStartPosition(
  connection: Connection,
  migration: string,
  direction: Direction,
  token: string,
): Promise<GtidSet | undefined> {
  const row = await connection.one(
    `SELECT gtids FROM ${SIDECAR.startPosition}` +
      ` WHERE migration = '${migration}' AND direction = '${direction}' AND token = '${token}' FOR SHARE`,
  );
  return row?.["gtids"] === undefined || row["gtids"] === null ? undefined : GtidSet.parse(row["gtids"]);
}
