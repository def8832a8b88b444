import { afterAll, beforeAll, expect, test } from "vitest";
import { COM, PACKET_PAYLOAD_MAX } from "../../src/wire/capabilities.ts";
import { FIELD } from "../../src/wire/field-type.ts";
import { PacketWriter } from "../../src/wire/packet-writer.ts";
import { LargeClient } from "../integration/proxy/large-client.ts";
import { type Harness, seed, startHarness } from "../integration/proxy/proxy-harness.ts";
import { command, onStatement } from "../integration/proxy/raw-client.ts";
import { startServers, stopServers, type TestServer } from "../support/servers.ts";

const MIB = 1024 * 1024;
/** What a server takes at most. */
const BYTES = 1024 * MIB;
/** The client's packet of 16 MiB, the proxy's first one, and what lies in sockets. */
const GROWTH_MIB_MAX = 200;
const LETTER = 0x61;

let servers: Record<"old" | "new", TestServer>;
let harness: Harness;

beforeAll(async () => {
  servers = await startServers(["old", "new"], { args: ["--max-allowed-packet=1G"] });
  await seed(servers);
  await servers.old.root("INSERT INTO shop.orders (id, note) VALUES (1, 'one'), (2, 'two')");
  harness = await startHarness(servers);
  await (await harness.connect()).end();
});

afterAll(async () => {
  await harness?.close();
  await stopServers(servers);
});

test.each(["text", "prepared"])("a command of 1 GiB crosses in flat memory, as %s", async (how) => {
  const client = await LargeClient.connect(harness.port);
  let head = command(COM.QUERY, "SELECT COUNT(*) FROM orders WHERE note <> '");
  let end = Buffer.from("'");
  if (how === "prepared") {
    client.send(command(COM.STMT_PREPARE, "SELECT COUNT(*) FROM orders WHERE note <> ?"));
    const [id = 0] = [(await client.next()).payload.readUInt32LE(1), await client.next(), await client.next()] as const;
    const values = new PacketWriter().u8(0).u32(1).u8(0).u8(1).u16(FIELD.STRING);
    const text = BYTES - 32;
    head = onStatement(COM.STMT_EXECUTE, id, values.lenenc(text).payload());
    end = Buffer.alloc(0);
  }
  global.gc?.();
  const before = process.memoryUsage().rss;
  let peak = 0;
  const sampler = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss - before);
  }, 20);
  const length = how === "text" ? BYTES - MIB : BYTES - 32 + head.length;
  const whole = Buffer.alloc(PACKET_PAYLOAD_MAX, LETTER);
  await client.begin(head, LETTER);
  let number = 1;
  let left = length - PACKET_PAYLOAD_MAX - end.length;
  for (; left >= PACKET_PAYLOAD_MAX; left -= PACKET_PAYLOAD_MAX) await client.packet(whole, number++);
  await client.packet(Buffer.concat([whole.subarray(0, left), end]), number++);
  const answer = await client.next();
  clearInterval(sampler);
  expect([answer.payload[0], answer.sequence]).toEqual([1, number & 0xff]);
  const row = [await client.next(), await client.next(), await client.next()][1]?.payload;
  expect(how === "text" ? row?.toString("latin1") : row?.[2]).toBe(how === "text" ? "\x012" : 2);
  process.stderr.write(`1 GiB as ${how}: memory grew by ${(peak / MIB).toFixed(0)} MiB at most\n`);
  expect(peak / MIB).toBeLessThan(GROWTH_MIB_MAX);
  client.close();
});
