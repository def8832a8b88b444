import type { Writable } from "node:stream";
import { SwitchyardError } from "../base/errors.ts";
import { COM, PACKET_PAYLOAD_MAX } from "../wire/capabilities.ts";
import { type PacketVisitor, PacketWalker } from "../wire/packet-walker.ts";
import type { ClientConnection } from "./client-connection.ts";

/** Finds the end of a client's file among its packets: the first empty one that does not end a larger one. */
class FileEnd implements PacketVisitor {
  reached = false;
  /** Some packet had not the number that was due. */
  outOfOrder = false;
  #due: number | undefined;
  #continues = false;

  /** Numbers are not looked at where the first one is not known. */
  constructor(first: number | undefined) {
    this.#due = first;
  }

  head(length: number, sequence: number): boolean {
    if (this.#due !== undefined) {
      if (sequence !== this.#due) this.outOfOrder = true;
      this.#due = (this.#due + 1) & 0xff;
    }
    this.reached = length === 0 && !this.#continues;
    this.#continues = length === PACKET_PAYLOAD_MAX;
    return this.reached;
  }

  payload(): boolean {
    return true;
  }
}

export interface FileRelay {
  /** Number that the file's first packet must have; left out where the server does not look at numbers of packets. */
  readonly first?: number | undefined;
  /** Is given the bytes ahead of the server, and may change them. */
  readonly passing?: ((bytes: Buffer) => void) | undefined;
}

/**
 * Relays the packets of a file from the client to the server, byte for byte, up to the empty one that ends it. Only as
 * much is read from the client as the server takes. Nothing is opened here: the file is the client's.
 *
 * @returns false when the client has left before the end: what has come is not the file
 * @throws {SwitchyardError} `WIRE_UNEXPECTED_PACKET` at a packet that has not the number that is due, ahead of which a
 *   server would end the file and take the rest for commands. The connection to the server is of no use then.
 */
export async function relayFile(
  client: Pick<ClientConnection, "readBytes" | "putBack">,
  server: Writable,
  { first, passing }: FileRelay,
): Promise<boolean> {
  const walker = new PacketWalker();
  const end = new FileEnd(first);
  for (;;) {
    const bytes = await client.readBytes();
    if (bytes === undefined) return false;
    const reached = walker.walk(bytes, 0, bytes.length, end);
    if (end.outOfOrder) {
      throw new SwitchyardError("WIRE_UNEXPECTED_PACKET", { what: "a client sends packets of a file out of order" });
    }
    passing?.(bytes.subarray(0, reached));
    if (!server.destroyed && !server.write(bytes.subarray(0, reached))) await drained(server);
    if (!end.reached) continue;
    client.putBack(bytes.subarray(reached));
    return true;
  }
}

/** Until the socket takes more, or has closed. */
export async function drained(socket: Writable): Promise<void> {
  if (socket.destroyed) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      socket.off("drain", done);
      socket.off("close", done);
      resolve();
    };
    socket.once("drain", done);
    socket.once("close", done);
  });
}

/** Whether a command may have the server ask for a file: of a text that may say `LOAD DATA LOCAL INFILE` anywhere. */
export function sendsFile(command: Buffer): boolean {
  if (command[0] !== COM.QUERY) return false;
  // One word after the other: a pattern of both would look again and again through a text made for that.
  const text = command.toString("latin1");
  return /LOCAL/i.test(text) && /INFILE/i.test(text);
}
