/** What is shorter is cut from Node's own slabs. */
const POOLED_BYTES_MIN = 4096;
/** Of each size so many are kept while nobody needs them. */
const FREE_MAX = 16;

/** Memory that is free, by its size: powers of two, so that a chunk that is kept keeps at most twice what it holds. */
const free = new Map<number, ArrayBuffer[]>();
/** What is handed out; each may come back once. */
const lent = new WeakSet<ArrayBufferLike>();

/** A copy of the first bytes of `buffer`, to be kept for as long as its taker likes. */
export function copyOf(buffer: Buffer, length: number): Buffer {
  const chunk = length < POOLED_BYTES_MIN ? Buffer.allocUnsafe(length) : take(length);
  buffer.copy(chunk, 0, 0, length);
  return chunk;
}

/**
 * Neither the taker of a copy, nor anybody to whom he has passed it on, looks at it again: its memory may become another
 * copy in this very turn. Nobody need say so; memory that does not come back is collected as ever. Other buffers are
 * left alone.
 */
export function giveBack(chunk: Buffer): void {
  if (chunk.length < POOLED_BYTES_MIN) return;
  const { buffer } = chunk;
  if (!lent.delete(buffer)) return;
  const same = free.get(buffer.byteLength) ?? [];
  free.set(buffer.byteLength, same);
  if (same.length < FREE_MAX) same.push(buffer as ArrayBuffer);
}

function take(length: number): Buffer {
  const size = 2 ** Math.ceil(Math.log2(length));
  const memory = free.get(size)?.pop() ?? Buffer.allocUnsafeSlow(size).buffer;
  lent.add(memory);
  return Buffer.from(memory, 0, length);
}
