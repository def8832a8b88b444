import { openAdmin } from "../mysql/admin-connection.ts";
import type { Endpoint } from "../mysql/endpoint.ts";
import { commitsStandStill } from "../mysql/standstill.ts";

/** Asks each server, in a session of its own, whether its commits stand still; undefined where they go through on all. */
export async function readStandstill(endpoints: readonly Endpoint[]): Promise<string | undefined> {
  const said = await Promise.all(
    endpoints.map(async (endpoint) => {
      const connection = await openAdmin(endpoint);
      try {
        const why = await commitsStandStill(connection);
        return why === undefined ? [] : [`on ${endpoint.name}: ${why}`];
      } finally {
        await connection.close();
      }
    }),
  );
  return said.flat().join("; ") || undefined;
}
