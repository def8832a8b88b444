import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A piece of network between the proxy and a server, which can be slow and can be cut. */
export interface TcpRelay {
  readonly port: number;
  /** Each piece that the server sends arrives this much later. */
  delayMs: number;
  /** Changes the first piece that the server sends on each connection: its greeting. */
  greeting?: (bytes: Buffer) => Buffer;
  /** Nobody gets through any more. */
  away: boolean;
  /** Bytes that have passed, by who sent them. */
  readonly passed: { near: number; far: number };
  /** Ends all connections through it at once, without a word. */
  cut(): void;
  close(): Promise<void>;
}

export async function startRelay(target: { readonly host: string; readonly port: number }): Promise<TcpRelay> {
  const sockets = new Set<Socket>();
  const relay: Omit<TcpRelay, "port" | "cut" | "close"> = {
    ...{ delayMs: 0, away: false, passed: { near: 0, far: 0 } },
  };
  const server = createServer((near) => {
    if (relay.away) {
      near.destroy();
      return;
    }
    const far = connect({ host: target.host, port: target.port, noDelay: true });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.on("data", (chunk) => {
      relay.passed.near += chunk.length;
      far.write(chunk);
    });
    let greeted = false;
    far.on("data", (bytes) => {
      const chunk = greeted ? bytes : (relay.greeting?.(bytes) ?? bytes);
      greeted = true;
      relay.passed.far += chunk.length;
      if (relay.delayMs === 0) near.write(chunk);
      else setTimeout(() => near.write(chunk), relay.delayMs);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return Object.assign(relay, {
    port: (server.address() as AddressInfo).port,
    cut,
    close: async () => {
      server.close();
      cut();
      await once(server, "close");
    },
  });
}
