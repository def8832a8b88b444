import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { COM, PACKET_PAYLOAD_MAX } from "../../../src/wire/capabilities.ts";
import { parseErr } from "../../../src/wire/err-packet.ts";
import { FIELD } from "../../../src/wire/field-type.ts";
import { PacketWriter } from "../../../src/wire/packet-writer.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { LargeClient } from "./large-client.ts";
import { abort, arm, drained, type Harness, hold, seed, startHarness } from "./proxy-harness.ts";
import { command, onStatement } from "./raw-client.ts";
import { startRelay, type TcpRelay } from "./tcp-relay.ts";

let servers: Record<"old" | "new", TestServer>;
let relay: TcpRelay;
let harness: Harness;
let clients: LargeClient[] = [];

const LETTER = 0x61;
const FULL = Buffer.alloc(PACKET_PAYLOAD_MAX, LETTER);
const NUMBER_OF_TWO = 2;

beforeAll(async () => {
  servers = await startServers(["old", "new"]);
  await seed(servers);
  await servers.old.root("INSERT INTO shop.orders (id, note) VALUES (1, 'one'), (2, 'two'), (3, 'three')");
  relay = await startRelay(servers.old);
  const old = Object.create(servers.old, { port: { value: relay.port } }) as TestServer;
  harness = await startHarness({ old, new: servers.new });
  await (await harness.connect()).end();
});

afterEach(() => {
  for (const client of clients) client.close();
  clients = [];
});

afterAll(async () => {
  await harness?.close();
  await relay?.close();
  await stopServers(servers);
});

async function connect(): Promise<LargeClient> {
  const client = await LargeClient.connect(harness.port);
  clients.push(client);
  return client;
}

const query = (text: string): Buffer => command(COM.QUERY, text);

/** The one value of a reply to a query: column count, definition, row and end. */
async function value(client: LargeClient): Promise<string> {
  const packets = [await client.next(), await client.next(), await client.next(), await client.next()];
  return packets[2]?.payload.toString("latin1").slice(1) ?? "";
}

async function prepare(client: LargeClient, text: string): Promise<number> {
  client.send(command(COM.STMT_PREPARE, text));
  const first = await client.next();
  for (let left = first.payload.readUInt16LE(5) + first.payload.readUInt16LE(7); left > 0; left--) await client.next();
  return first.payload.readUInt32LE(1);
}

const HEAD = "SELECT COUNT(*) FROM orders WHERE note <> '";

/** An execute with one text of this many bytes, up to its first byte. */
function executeHead(id: number, bytes: number): Buffer {
  const head = new PacketWriter().u8(0).u32(1).u8(0).u8(1).u16(FIELD.STRING).lenenc(bytes).payload();
  return onStatement(COM.STMT_EXECUTE, id, head);
}

describe("a command of many packets", () => {
  test.each(["text", "prepared"])(
    "goes to its server as it comes, as %s, and is in flight from its first packet",
    async (how) => {
      const client = await connect();
      let head = query(HEAD);
      let end = Buffer.from("' AND id < 3");
      if (how === "prepared") {
        const id = await prepare(client, "SELECT COUNT(*) FROM orders WHERE note <> ? AND id < 3");
        end = Buffer.from("aaa");
        head = executeHead(id, 2 * PACKET_PAYLOAD_MAX + end.length - executeHead(id, PACKET_PAYLOAD_MAX).length);
      }
      const before = relay.passed.near;
      await client.begin(head, LETTER);
      await client.packet(FULL, 1);
      await expect.poll(() => relay.passed.near - before).toBeGreaterThan(2 * PACKET_PAYLOAD_MAX);
      await arm(harness);
      await hold(harness);
      expect((await harness.document()).holds["orders"]).toMatchObject({
        state: "holding",
        open: [{ reason: "a statement is in flight" }],
      });
      await client.packet(end, NUMBER_OF_TWO);
      const answer = await client.next();
      expect([answer.sequence, answer.payload[0]]).toEqual([NUMBER_OF_TWO + 1, 1]);
      const [, row] = [await client.next(), await client.next(), await client.next()];
      // In the binary protocol a row has two bytes ahead of its values.
      expect(how === "text" ? row?.payload.toString("latin1") : row?.payload[2]).toBe(how === "text" ? "\x012" : 2);
      await drained(harness);
      await abort(harness);
      client.send(query("SELECT 7"));
      expect(await value(client)).toBe("7");
    },
  );

  test("whose client leaves in the middle is executed by no server", async () => {
    const client = await connect();
    const before = relay.passed.near;
    await client.begin(query("INSERT INTO orders (id, note) VALUES (90, 'x'), (91, '"), LETTER);
    await expect.poll(() => relay.passed.near - before).toBeGreaterThan(PACKET_PAYLOAD_MAX);
    client.close();
    await expect
      .poll(() => servers.old.root("SELECT COUNT(*) AS n FROM information_schema.processlist WHERE user = 'app'"))
      .toEqual([{ n: "0" }]);
    expect(await servers.old.root("SELECT id FROM shop.orders WHERE id >= 90")).toEqual([]);
  });

  const INSERT_90 = "INSERT INTO orders (id, note) VALUES (90, '";

  /** Begins a statement in a hold that waits for it, and sends no more. */
  async function stalledInHold(rule: Parameters<typeof hold>[1] = {}, text = INSERT_90): Promise<LargeClient> {
    const client = await connect();
    await arm(harness);
    const before = relay.passed.near;
    await client.begin(query(text), LETTER);
    await expect.poll(() => relay.passed.near - before).toBeGreaterThan(PACKET_PAYLOAD_MAX);
    await hold(harness, rule);
    return client;
  }

  test("whose client stalls is ended by order, though its server hears of no KILL", async () => {
    const client = await stalledInHold({ endOpenAfterMs: 0 });
    await drained(harness);
    await abort(harness);
    await expect.poll(() => client.ended).toBe(true);
    expect(await servers.old.root("SELECT id FROM shop.orders WHERE id >= 90")).toEqual([]);
  });

  test("whose server has gone holds up nobody, while its client stalls, and is answered when it listens", async () => {
    const client = await stalledInHold();
    relay.cut();
    await drained(harness);
    await abort(harness);
    expect(client.ended).toBe(false);
    await client.packet(Buffer.from("')"), 1);
    expect(parseErr((await client.next()).payload).errno).toBe(2013);
    await expect.poll(() => client.ended).toBe(true);
  });

  test("that a server does not take is refused in its words, and the session ends", async () => {
    await servers.old.root("SET GLOBAL max_allowed_packet = 17 * 1024 * 1024");
    try {
      const client = await connect();
      await client.begin(query(HEAD), LETTER);
      for (let number = 1; number < 4; number++) await client.packet(FULL, number);
      await client.packet(Buffer.from("'"), 4);
      expect(parseErr((await client.next()).payload)).toEqual({
        ...{ errno: 1153, sqlState: "08S01", message: "Got a packet bigger than 'max_allowed_packet' bytes" },
      });
      await expect.poll(() => client.ended).toBe(true);
    } finally {
      await servers.old.root("SET GLOBAL max_allowed_packet = 64 * 1024 * 1024");
    }
  });

  const TAIL = Buffer.from("' AND id IN (SELECT id FROM other)");

  test("may name more tables behind its head while all of them live where it goes, and then touches everything", async () => {
    const client = await connect();
    await client.begin(query(HEAD), LETTER);
    await client.packet(TAIL, 1);
    expect(await value(client)).toBe("0");
    await arm(harness);
    expect((await harness.document()).armed["orders"]?.blocked).toMatchObject([
      { reason: "a statement of more than 16 MiB may have changed it" },
    ]);
    await abort(harness);
  });

  test("that turns out to belong to no server is taken back: nothing is executed, and the session goes on", async () => {
    await harness.change((rules) => ({
      ...rules,
      generation: rules.generation + 1,
      tables: { "shop.other": { to: "new", migration: "other" } },
    }));
    await harness.told(({ generation }) => generation > 1, "the new rules");
    const insertText = "INSERT INTO orders (id, note) SELECT id + 90, note FROM orders WHERE note <> '";
    const stalled = await stalledInHold({}, insertText);
    expect((await harness.document()).holds["orders"]?.state).toBe("holding");
    await stalled.packet(Buffer.concat([TAIL, FULL.subarray(TAIL.length)]), 1);
    await drained(harness);
    await abort(harness);
    await stalled.packet(Buffer.from("'"), NUMBER_OF_TWO);
    expect(parseErr((await stalled.next()).payload).errno).toBe(1235);
    const client = await connect();
    client.send(query("SET @a = 5"));
    await client.next();
    const insert = query(insertText);
    await client.begin(insert, LETTER);
    await client.packet(TAIL, 1);
    const refused = await client.next();
    expect([refused.sequence, parseErr(refused.payload)]).toMatchObject([
      NUMBER_OF_TWO,
      { errno: 1235, message: expect.stringContaining("nothing was executed") },
    ]);
    client.send(query("SELECT COUNT(*) + @a FROM orders"));
    expect(await value(client)).toBe("8");
    client.send(query("BEGIN"));
    await client.next();
    client.send(query("UPDATE orders SET client = 9"));
    await client.next();
    await client.begin(insert, LETTER);
    await client.packet(TAIL, 1);
    expect(parseErr((await client.next()).payload).errno).toBe(1235);
    await expect.poll(() => client.ended).toBe(true);
    await expect.poll(() => servers.old.root("SELECT id FROM shop.orders WHERE client = 9")).toEqual([]);
  });

  test("of a kind that its head does not tell is put together, and then judged whole", async () => {
    const client = await connect();
    await client.begin(query("SELECT LENGTH('"), LETTER);
    await client.packet(Buffer.from("aaa')"), 1);
    expect(await value(client)).toBe(String(PACKET_PAYLOAD_MAX - query("SELECT LENGTH('").length + 3));
  });
});
