import { hash, timingSafeEqual } from "node:crypto";

/** A nonce is 20 bytes; servers send a NUL after it, which is not part of it. */
export const NONCE_BYTES = 20;

const EMPTY: Buffer = Buffer.alloc(0);

/** Answer for `mysql_native_password`; empty for the empty password. */
export function nativeScramble(password: Buffer, nonce: Buffer): Buffer {
  if (password.length === 0) return EMPTY;
  const stage1 = digest("sha1", password);
  const stage2 = digest("sha1", stage1);
  return xor(stage1, digest("sha1", nonce.subarray(0, NONCE_BYTES), stage2));
}

/** What {@link verifyNative} needs to know of a password: SHA1(SHA1(password)). */
export function nativeStage2(password: Buffer): Buffer {
  return digest("sha1", digest("sha1", password));
}

/** Whether `scramble` answers `nonce` for the account whose stored hash is `stage2` = SHA1(SHA1(password)). */
export function verifyNative(stage2: Buffer, nonce: Buffer, scramble: Buffer): boolean {
  if (scramble.length !== stage2.length) return false;
  const stage1 = xor(scramble, digest("sha1", nonce.subarray(0, NONCE_BYTES), stage2));
  return timingSafeEqual(digest("sha1", stage1), stage2);
}

/** Answer on the fast path of `caching_sha2_password`; empty for the empty password. */
export function cachingSha2Scramble(password: Buffer, nonce: Buffer): Buffer {
  if (password.length === 0) return EMPTY;
  const stage1 = digest("sha256", password);
  const stage2 = digest("sha256", stage1);
  return xor(stage1, digest("sha256", stage2, nonce.subarray(0, NONCE_BYTES)));
}

/** What {@link verifyCachingSha2} needs to know of a password: SHA256(SHA256(password)). */
export function cachingSha2Stage2(password: Buffer): Buffer {
  return digest("sha256", digest("sha256", password));
}

/** Whether `scramble` was made from `nonce` by somebody who knows the password that `stage2` belongs to. */
export function verifyCachingSha2(stage2: Buffer, nonce: Buffer, scramble: Buffer): boolean {
  if (scramble.length !== stage2.length) return false;
  const stage1 = xor(scramble, digest("sha256", stage2, nonce.subarray(0, NONCE_BYTES)));
  return timingSafeEqual(digest("sha256", stage1), stage2);
}

/** `bytes` XOR the nonce repeated: what is encrypted with the server's RSA key, and how it is undone again. */
export function xorWithNonce(bytes: Buffer, nonce: Buffer): Buffer {
  const mixed = Buffer.from(bytes);
  for (let at = 0; at < mixed.length; at++) {
    mixed[at] = (mixed[at] ?? 0) ^ (nonce[at % NONCE_BYTES] ?? 0);
  }
  return mixed;
}

function digest(algorithm: "sha1" | "sha256", ...parts: readonly Buffer[]): Buffer {
  const [only] = parts;
  return hash(algorithm, parts.length === 1 && only !== undefined ? only : Buffer.concat(parts), "buffer");
}

function xor(left: Buffer, right: Buffer): Buffer {
  const mixed = Buffer.alloc(left.length);
  for (let at = 0; at < left.length; at++) mixed[at] = (left[at] ?? 0) ^ (right[at] ?? 0);
  return mixed;
}
