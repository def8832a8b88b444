import { BlockList, isIPv6 } from "node:net";
import { within } from "../base/deadline.ts";
import type { ClientConnection } from "./client-connection.ts";
import { parseProxyHeader } from "./proxy-header.ts";

/** How long a load balancer may take over the header. */
const HEADER_MS = 5000;

/** Networks whose load balancers are believed: each connection from there must begin with a header of the PROXY protocol. */
export class TrustedNetworks {
  #list = new BlockList();
  #none = true;

  constructor(networks: readonly string[]) {
    this.replace(networks);
  }

  /** For connections from now on. Each is an address, or one with the length of its prefix. */
  replace(networks: readonly string[]): void {
    const list = new BlockList();
    for (const network of networks) {
      const [address = "", prefix] = network.split("/");
      const family = isIPv6(address) ? "ipv6" : "ipv4";
      if (prefix === undefined) list.addAddress(address, family);
      else list.addSubnet(address, Number(prefix), family);
    }
    this.#list = list;
    this.#none = networks.length === 0;
  }

  has(address: string): boolean {
    return !this.#none && this.#list.check(address, isIPv6(address) ? "ipv6" : "ipv4");
  }
}

/**
 * Reads where a client comes from that has come through a load balancer. Answers false where the connection has ended.
 *
 * @throws {SwitchyardError} `WIRE_MALFORMED`, and `TIMEOUT` after five seconds
 */
export async function learnOrigin(client: ClientConnection): Promise<boolean> {
  return await within(read(client), HEADER_MS, "the header of the PROXY protocol");
}

async function read(client: ClientConnection): Promise<boolean> {
  let gathered: Buffer = Buffer.alloc(0);
  for (;;) {
    const bytes = await client.readBytes();
    if (bytes === undefined) return false;
    gathered = Buffer.concat([gathered, bytes]);
    const header = parseProxyHeader(gathered);
    if (header === "more") continue;
    client.putBack(gathered.subarray(header.bytes));
    if (header.source !== undefined) client.cameFrom(header.source);
    return true;
  }
}
