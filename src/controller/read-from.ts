import { Connection } from "../mysql/connection.ts";
import type { Endpoint } from "../mysql/endpoint.ts";
import { SourceReplica } from "../mysql/source-replica.ts";
import { type ControllerContext, endpointOf } from "./controller-context.ts";

/** The server of a replica that is named. @throws {SwitchyardError} `MIGRATION_REQUEST_INVALID` */
export function replicaOf(
  context: Pick<ControllerContext, "backends">,
  readFrom: string | undefined,
): Endpoint | undefined {
  return readFrom === undefined ? undefined : endpointOf(context, readFrom);
}

/**
 * Makes sure that rows of `source` can be read from `replica`. It is asked again at each snapshot; here whoever names it is
 * told at once.
 *
 * @throws {SwitchyardError} `MYSQL_REPLICA_UNFIT`, `MIGRATION_REQUEST_INVALID`, and those of connections
 */
export async function requireReplica(
  context: ControllerContext,
  replica: string,
  source: string,
  migration: string,
): Promise<void> {
  const attributes = { switchyard_migration: migration, switchyard_role: "check" };
  const connect = (backend: string): Promise<Connection> =>
    Connection.connect(endpointOf(context, backend), { attributes, signal: context.signal });
  const there = await connect(source);
  try {
    const here = await connect(replica);
    try {
      await new SourceReplica({ replica: here, source: there, clock: context.clock, signal: context.signal }).check();
    } finally {
      await here.close();
    }
  } finally {
    await there.close();
  }
}
