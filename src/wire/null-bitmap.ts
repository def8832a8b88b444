import type { PacketReader } from "./packet-reader.ts";

/** Whether bit `index` of a bitmap is set. */
export function bitIsSet(bitmap: Buffer, index: number): boolean {
  return ((bitmap[index >> 3] ?? 0) & (1 << (index & 7))) !== 0;
}

/** The bitmap in which exactly the NULL ones of `values` are set, the first of them being bit `shift`. */
export function nullBitmap(values: readonly unknown[], shift: number): Buffer {
  const bitmap = Buffer.alloc(bitmapBytes(values.length, shift));
  for (const [index, value] of values.entries()) {
    const bit = index + shift;
    if (value === null) bitmap[bit >> 3] = (bitmap[bit >> 3] ?? 0) | (1 << (bit & 7));
  }
  return bitmap;
}

export function bitmapBytes(count: number, shift: number): number {
  return Math.ceil((count + shift) / 8);
}

/** A count from the wire that is followed by so many entries of at least `entryBits` bits each. @throws `WIRE_MALFORMED` */
export function readCount(reader: PacketReader, entryBits: number): number {
  const count = reader.lenencNumber();
  if (count * entryBits > reader.left * 8 + 7) throw reader.malformed(`${count} entries do not fit in what follows`);
  return count;
}
