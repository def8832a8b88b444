import { PACKET_PAYLOAD_MAX } from "../wire/capabilities.ts";
import type { LocalInfileSender } from "./query-reply.ts";

const EMPTY: Buffer = Buffer.alloc(0);

/**
 * Answers a `LOAD DATA LOCAL` from `chunks`. When they throw, the connection ends with what they threw: the
 * protocol knows no other way to say that the file is not whole, and its end would make the server keep the part.
 */
export function sendChunks(chunks: AsyncIterable<Buffer>): LocalInfileSender {
  return async (requestSequence, context) => {
    let sequence = requestSequence;
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length; at += PACKET_PAYLOAD_MAX - 1) {
        sequence = (sequence + 1) & 0xff;
        await context.send(chunk.subarray(at, at + PACKET_PAYLOAD_MAX - 1), sequence);
      }
    }
    await context.send(EMPTY, (sequence + 1) & 0xff);
  };
}
