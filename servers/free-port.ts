import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/**
 * Below the ports that systems give to outgoing connections: a server that is started again would otherwise find its
 * port taken by somebody's connection now and then.
 */
const PORT_MIN = 20_000;
const PORT_MAX = 32_000;
const TRIES_MAX = 50;

/** A TCP port of 127.0.0.1 that was free a moment ago. Whoever binds it may still find it taken, and asks again. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const port = await bound(randomInt(PORT_MIN, PORT_MAX));
    if (port !== undefined) return port;
  }
  const any = await bound(0);
  if (any === undefined) throw new Error("no TCP port of 127.0.0.1 is free");
  return any;
}

/** The port, if it can be bound; 0 asks the system for one. */
function bound(port: number): Promise<number | undefined> {
  const { promise, resolve } = Promise.withResolvers<number | undefined>();
  const server = createServer();
  server.on("error", () => resolve(undefined));
  server.listen(port, "127.0.0.1", () => {
    const address = server.address();
    server.close(() => resolve(address === null || typeof address === "string" ? undefined : address.port));
  });
  return promise;
}
