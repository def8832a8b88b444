import { Connection } from "../mysql/connection.ts";
import type { Endpoint } from "../mysql/endpoint.ts";
import { killConnection } from "../mysql/kill-connection.ts";
import type { ServerWithConnections } from "./forget-proxy.ts";
import { HomeQueries } from "./home-queries.ts";

/**
 * Has `work` look for connections on all these servers and end them; the sessions that do it close afterwards.
 *
 * @throws whatever keeps one of the servers from being reached: a server that cannot be asked may still have
 *   connections that write, so none is left out.
 */
export async function withServerConnections<T>(
  endpoints: readonly Endpoint[],
  work: (servers: readonly ServerWithConnections[]) => Promise<T>,
): Promise<T> {
  const sessions: Connection[] = [];
  try {
    const servers: ServerWithConnections[] = [];
    for (const endpoint of endpoints) {
      const session = await Connection.connect(endpoint, { attributes: { switchyard_role: "forget" } });
      sessions.push(session);
      const queries = new HomeQueries(session, { migration: "", tables: [], ownUser: endpoint.user }, []);
      servers.push({
        label: `${endpoint.host}:${endpoint.port}`,
        connectionsOf: (nonces) => queries.connectionsOf(nonces),
        kill: async (ids) => {
          for (const id of ids) await killConnection(session, id);
        },
      });
    }
    return await work(servers);
  } finally {
    await Promise.all(sessions.map((session) => session.close()));
  }
}
