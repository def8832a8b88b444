import { once } from "node:events";
import type { AddressInfo, Server } from "node:net";
import { messageOf, SwitchyardError } from "../base/errors.ts";

/** Where clients come in. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Clients that the kernel keeps while nobody accepts them. */
const BACKLOG = 1024;

/** Resolves when the server listens. @throws {SwitchyardError} `PROXY_LISTEN_FAILED` */
export async function listenAt(server: Server, { host, port }: ListenAddress): Promise<AddressInfo> {
  server.listen({ host, port, backlog: BACKLOG });
  try {
    await once(server, "listening");
  } catch (cause) {
    throw new SwitchyardError("PROXY_LISTEN_FAILED", {
      what: `cannot listen on ${host}:${port}: ${messageOf(cause)}`,
      fix: "Stop the program that uses the port, or set another one under `listen:`.",
      cause,
    });
  }
  return server.address() as AddressInfo;
}
