import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { CAP, STATUS } from "../../../src/wire/capabilities.ts";
import { buildGreeting } from "../../../src/wire/greeting.ts";
import { buildOk } from "../../../src/wire/ok-packet.ts";
import { PacketSplitter } from "../../../src/wire/packet-splitter.ts";
import { frame } from "../../../src/wire/packet-writer.ts";
import type { TestServer } from "../../support/servers.ts";

const CAPABILITIES =
  CAP.PROTOCOL_41 |
  CAP.SECURE_CONNECTION |
  CAP.PLUGIN_AUTH |
  CAP.PLUGIN_AUTH_LENENC |
  CAP.CONNECT_ATTRS |
  CAP.CONNECT_WITH_DB |
  CAP.TRANSACTIONS |
  CAP.LOCAL_FILES |
  CAP.MULTI_RESULTS |
  CAP.PS_MULTI_RESULTS |
  CAP.DEPRECATE_EOF;

export const OK = buildOk(
  { affectedRows: 0, lastInsertId: 0n, status: STATUS.AUTOCOMMIT, warnings: 0, info: Buffer.alloc(0), tracks: [] },
  CAPABILITIES,
);

/** What a server of a test does beside letting everybody in. */
export interface Script {
  /** Whether it ever says something to a connection; it does where left out. */
  greets?: () => boolean;
  /** Whether it ever answers a login; it does where left out. */
  letsIn?: () => boolean;
  /** The packets that answer a packet behind the login; none where it does not answer. */
  answer(packet: Buffer, socket: Socket): readonly Buffer[];
}

let threads = 0;

/** A server that says what a test wants, and can take the place of a real one in a harness. */
export interface ScriptedServer {
  readonly server: TestServer;
  readonly sockets: ReadonlySet<Socket>;
  close(): Promise<void>;
}

export async function startScripted(script: Script): Promise<ScriptedServer> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    if (script.greets?.() ?? true) serve(socket, script);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    server: { host: "127.0.0.1", port } as TestServer,
    sockets,
    close: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, "close");
    },
  };
}

function serve(socket: Socket, script: Script): void {
  const greeting = buildGreeting({
    ...{ serverVersion: "9.7.4", threadId: ++threads, nonce: Buffer.alloc(20, 0x41), capabilities: CAPABILITIES },
    ...{ collation: 45, status: STATUS.AUTOCOMMIT, authPlugin: "caching_sha2_password" },
  });
  socket.write(frame(greeting, 0));
  const splitter = new PacketSplitter(1 << 24);
  let loggedIn = false;
  socket.on("data", (chunk: Buffer) => {
    splitter.push(chunk, (packet, sequence) => {
      const answers = loggedIn ? script.answer(packet, socket) : (script.letsIn?.() ?? true) ? [OK] : [];
      loggedIn = true;
      answers.forEach((answer, at) => {
        socket.write(frame(answer, (sequence + 1 + at) & 0xff));
      });
    });
  });
}
