import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientBacklog, ReadAhead } from "../../../src/proxy/client-backlog.ts";
import { ClientConnection, type CommandTaker } from "../../../src/proxy/client-connection.ts";
import { frame } from "../../../src/wire/packet-writer.ts";

let server: Server;

beforeAll(async () => {
  server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});

afterAll(() => {
  server.close();
});

/** A client whose first command takes for ever, and the connection that serves it. */
async function executing(ahead: ReadAhead): Promise<{ peer: Socket; client: ClientConnection }> {
  const peer = connect((server.address() as AddressInfo).port, "127.0.0.1");
  peer.on("error", () => undefined);
  const [accepted] = (await once(server, "connection")) as [Socket];
  const client = new ClientConnection(accepted, new ClientBacklog(1000, ahead));
  client.acceptCommands(1000);
  const begun = new Promise<void>((resolve) => {
    const taker: CommandTaker = { command: () => resolve(), largeCommand: () => undefined, over: () => undefined };
    client.serve(taker);
  });
  peer.write(frame(Buffer.from([3]), 0));
  await begun;
  return { peer, client };
}

const MIB = 1024 * 1024;

describe("a client that sends on behind a command that takes long", () => {
  test("is read further after a while, and no further than all of them may be together", async () => {
    const ahead = new ReadAhead(2 * MIB);
    const both = [await executing(ahead), await executing(ahead)];
    for (const { peer } of both) peer.write(Buffer.alloc(16 * MIB));
    await sleep(200);
    expect(ahead.bytes).toBeLessThan(0.3 * MIB);
    await expect.poll(() => ahead.isFull, { timeout: 3000 }).toBe(true);
    await sleep(100);
    expect(ahead.bytes).toBeLessThan(2.3 * MIB);
    for (const { client } of both) client.destroy();
    expect(ahead.bytes).toBe(0);
  });

  test("is noticed to be gone by its system's word even where nothing more may be read of it", async () => {
    const { peer, client } = await executing(new ReadAhead(0));
    peer.write(Buffer.alloc(MIB));
    await sleep(50);
    peer.resetAndDestroy();
    await sleep(50);
    expect(client.isGone).toBe(false);
    await client.gone;
    expect(client.isGone).toBe(true);
  });
});

describe("a backlog of a great many tiny chunks", () => {
  const MANY = 130_000;

  test("gives them back in their order, in a time that grows with their number only", () => {
    const backlog = new ClientBacklog(1000, new ReadAhead(64 * MIB));
    for (let i = 0; i < MANY; i++) backlog.add(Buffer.from([i & 0xff]));
    const began = performance.now();
    let wrong = 0;
    for (let i = 0; i < MANY; i++) {
      if (backlog.take()?.[0] !== (i & 0xff)) wrong += 1;
      // More comes while it is emptied.
      if (i % 1000 === 0) backlog.add(Buffer.from([0]));
    }
    expect(wrong).toBe(0);
    expect(performance.now() - began).toBeLessThan(500);
    expect(backlog.takeAll()).toHaveLength(MANY / 1000);
    expect(backlog.take()).toBeUndefined();
  });
});
