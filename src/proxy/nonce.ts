import { randomFillSync } from "node:crypto";
import { NONCE_BYTES } from "../wire/auth-scramble.ts";

/** Random bytes for so many nonces are drawn at once: each draw is a call of OpenSSL's. */
const NONCES_DRAWN = 200;

const drawn = Buffer.allocUnsafeSlow(NONCES_DRAWN * NONCE_BYTES);
let used = drawn.length;

/** Random bytes without NUL, which ends the nonce for some clients, and without `$`, as servers do. */
export function makeNonce(): Buffer {
  if (used === drawn.length) {
    randomFillSync(drawn);
    used = 0;
  }
  const nonce = Buffer.allocUnsafe(NONCE_BYTES);
  for (let at = 0; at < NONCE_BYTES; at++) {
    const low = (drawn[used + at] ?? 0) % 0x7e;
    nonce[at] = low === 0x23 ? 0x21 : low + 1;
  }
  // What a nonce was made of is of use to nobody any more.
  drawn.fill(0, used, used + NONCE_BYTES);
  used += NONCE_BYTES;
  return nonce;
}
