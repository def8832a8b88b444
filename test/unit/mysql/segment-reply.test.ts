import { expect, test } from "vitest";
import type { ReplyContext } from "../../../src/mysql/reply.ts";
import { SegmentReply } from "../../../src/mysql/segment-reply.ts";
import { CAP } from "../../../src/wire/capabilities.ts";
import { buildOk } from "../../../src/wire/ok-packet.ts";
import { frame } from "../../../src/wire/packet-writer.ts";
import { buildTextRow } from "../../../src/wire/text-row.ts";
import { fc } from "../../support/seeded-properties.ts";

const CAPABILITIES = CAP.PROTOCOL_41 | CAP.DEPRECATE_EOF;
const OK = { affectedRows: 0, lastInsertId: 0n, status: 2, warnings: 0, info: Buffer.alloc(0), tracks: [] };
/** A second answer behind the rows, of which nothing may be lost. */
const BEHIND = Buffer.from("what the next reply begins with");

function context(unread: Buffer[]): ReplyContext {
  return {
    capabilities: CAPABILITIES,
    server: "s",
    status: () => undefined,
    send: () => Promise.resolve(),
    uncut: (_on, bytes) => {
      if (bytes !== undefined) unread.push(bytes);
    },
  };
}

test("rows that are cut anywhere come whole, in order, and nothing behind them is taken", async () => {
  const rows = fc.array(fc.oneof(fc.nat(40), fc.nat(600)), { maxLength: 30 });
  const cuts = fc.array(fc.oneof(fc.nat(12), fc.nat(900)), { minLength: 1, maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(rows, cuts, fc.boolean(), async (lengths, sizes, slow) => {
      const packets = lengths.map((length, i) => frame(buildTextRow([`${i}`, "x".repeat(length)]), i & 0xff));
      const end = buildOk(OK, CAPABILITIES, 0xfe);
      const wire = Buffer.concat([...packets, frame(end, 7), BEHIND]);
      const unread: Buffer[] = [];
      const segments: Buffer[] = [];
      let counted = 0;
      const reply = new SegmentReply({
        columns: () => undefined,
        segment: (bytes, count) => {
          segments.push(bytes);
          counted += count;
          return slow ? Promise.resolve() : undefined;
        },
      });
      let at = 0;
      let complete = false;
      for (let i = 0; !complete; i++) {
        expect(at).toBeLessThan(wire.length);
        const size = 1 + (sizes[i % sizes.length] as number);
        complete = await reply.chunk(wire.subarray(at, at + size), context(unread));
        at += size;
      }
      expect(Buffer.concat(segments).equals(Buffer.concat(packets))).toBe(true);
      expect(counted).toBe(lengths.length);
      expect(Buffer.concat([...unread, wire.subarray(at)]).equals(BEHIND)).toBe(true);
      await reply.done;
    }),
    { numRuns: 300 },
  );
});
