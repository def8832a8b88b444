import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { giveBack } from "../../../src/proxy/chunk-memory.ts";
import { leanSocket } from "../../../src/proxy/lean-socket.ts";

const MIB = 1024 * 1024;
let server: Server;

beforeAll(async () => {
  server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});

afterAll(() => {
  server.close();
});

/** Both ends of a connection: the peer's, and ours, which was accepted and taken over. */
async function pair(): Promise<{ peer: Socket; lean: Socket }> {
  const peer = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [accepted] = (await once(server, "connection")) as [Socket];
  if (peer.connecting) await once(peer, "connect");
  const lean = leanSocket(accepted);
  expect(lean).not.toBe(accepted);
  return { peer, lean };
}

describe("a socket that was taken over", () => {
  test("gives each chunk to its reader for good: the next read does not change it, on no socket", async () => {
    const [one, two] = [await pair(), await pair()];
    const chunks: Buffer[] = [];
    for (const { lean } of [one, two]) lean.on("data", (chunk: Buffer) => chunks.push(chunk)).resume();
    one.peer.write("first");
    await expect.poll(() => chunks.length).toBe(1);
    two.peer.write("OTHER");
    await expect.poll(() => chunks.length).toBe(2);
    one.peer.write("third");
    await expect.poll(() => chunks.map(String)).toEqual(["first", "OTHER", "third"]);
    for (const socket of [one.peer, two.peer, one.lean, two.lean]) socket.destroy();
  });

  test("takes nothing from its peer while it is paused, so the peer must wait, and nothing is lost", async () => {
    const { peer, lean } = await pair();
    let taken = 0;
    lean.on("data", (chunk: Buffer) => {
      taken += chunk.length;
      if (taken === chunk.length) lean.pause();
    });
    lean.resume();
    const all = Buffer.alloc(8 * MIB, 7);
    peer.end(all);
    await expect.poll(() => taken).toBeGreaterThan(0);
    const before = taken;
    await sleep(30);
    expect(taken).toBe(before);
    expect(peer.writableLength).toBeGreaterThan(0);
    lean.resume();
    await once(lean, "end");
    expect(taken).toBe(all.length);
    lean.destroy();
  });

  test("passes on unchanged what waits for a slow reader, whatever is read meanwhile", async () => {
    const { peer, lean } = await pair();
    lean.on("data", (chunk: Buffer) => lean.write(chunk)).resume();
    const sent = randomBytes(16 * MIB);
    const ended = once(lean, "end");
    peer.end(sent);
    // No listener yet, so the peer reads nothing, and what the kernel does not take waits in the socket.
    await ended;
    expect(lean.writableLength).toBeGreaterThan(0);
    const received: Buffer[] = [];
    for await (const chunk of peer) received.push(chunk as Buffer);
    expect(Buffer.concat(received).equals(sent)).toBe(true);
    lean.destroy();
  });

  test("passes on unchanged what a reader takes in fits and starts, though what the kernel has taken is given back", async () => {
    const { peer, lean } = await pair();
    lean.on("data", (chunk: Buffer) => {
      lean.write(chunk);
      if (lean.writableLength === 0) giveBack(chunk);
    });
    lean.resume();
    const sent = randomBytes(16 * MIB);
    peer.end(sent);
    const received: Buffer[] = [];
    for await (const chunk of peer) {
      received.push(chunk as Buffer);
      if (received.length % 50 === 0) await sleep(2);
    }
    expect(Buffer.concat(received).equals(sent)).toBe(true);
    lean.destroy();
  });

  test("tells that its peer has gone, by its end and by a reset", async () => {
    const ended = await pair();
    ended.lean.resume();
    ended.peer.end();
    await once(ended.lean, "end");
    await once(ended.lean, "close");
    const reset = await pair();
    reset.lean.resume();
    const failed = once(reset.lean, "error");
    reset.peer.resetAndDestroy();
    expect(((await failed)[0] as NodeJS.ErrnoException).code).toBe("ECONNRESET");
  });
});
