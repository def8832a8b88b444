import { INPUT_BYTES_MAX } from "./fuzz-target.ts";
import type { Random } from "./random.ts";

/** Numbers at which lengths, counts and their encodings turn over. */
const EDGES = [
  0, 1, 2, 7, 8, 15, 16, 127, 128, 250, 251, 252, 253, 254, 255, 256, 0x7fff, 0x8000, 0xffff, 0x1_0000, 0xff_fffe,
  0xff_ffff, 0x100_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff,
];

const CHANGES_MAX = 6;
const PIECE_BYTES_MAX = 64;

/** What the changes are made of. */
export interface Material {
  readonly corpus: readonly Buffer[];
  readonly dictionary: readonly Buffer[];
}

type Change = (input: Buffer, random: Random, material: Material) => Buffer;

const CHANGES: readonly Change[] = [
  flipBit,
  flipBit,
  setByte,
  setByte,
  nudgeByte,
  setField,
  setField,
  setField,
  truncate,
  removePiece,
  repeatPiece,
  insertBytes,
  insertToken,
  insertToken,
  replaceWithToken,
  splice,
];

/** An input near to one of the corpus: one to a few changes, mostly few. */
export function mutate(random: Random, material: Material): Buffer {
  let input = random.pick(material.corpus) ?? Buffer.alloc(0);
  const changes = 1 + Math.min(random.below(CHANGES_MAX), random.below(CHANGES_MAX));
  for (let i = 0; i < changes; i++) input = (random.pick(CHANGES) ?? flipBit)(input, random, material);
  return input.length > INPUT_BYTES_MAX ? input.subarray(0, INPUT_BYTES_MAX) : input;
}

function edited(input: Buffer, edit: (copy: Buffer) => void): Buffer {
  if (input.length === 0) return input;
  const copy = Buffer.from(input);
  edit(copy);
  return copy;
}

function flipBit(input: Buffer, random: Random): Buffer {
  return edited(input, (copy) => {
    const at = random.below(copy.length);
    copy[at] = (copy[at] as number) ^ (1 << random.below(8));
  });
}

function setByte(input: Buffer, random: Random): Buffer {
  return edited(input, (copy) => {
    copy[random.below(copy.length)] = random.below(2) === 0 ? random.below(256) : (random.pick(EDGES) ?? 0) & 0xff;
  });
}

function nudgeByte(input: Buffer, random: Random): Buffer {
  return edited(input, (copy) => {
    const at = random.below(copy.length);
    copy[at] = (copy[at] as number) + random.below(9) - 4;
  });
}

/** A number of 2, 3, 4 or 8 bytes is what might be a length, a count or an offset: here it is one at an edge. */
function setField(input: Buffer, random: Random): Buffer {
  return edited(input, (copy) => {
    const width = Math.min([2, 3, 4, 8][random.below(4)] ?? 4, copy.length);
    const at = random.below(copy.length - width + 1);
    let value = BigInt(random.pick(EDGES) ?? 0);
    const shape = random.below(6);
    if (shape === 0) value = BigInt(copy.length);
    else if (shape === 1) value = BigInt(random.below(copy.length + 4));
    else if (shape === 2) value = (1n << 64n) - 1n - value;
    for (let i = 0; i < width; i++) copy[at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
  });
}

function truncate(input: Buffer, random: Random): Buffer {
  return input.subarray(0, random.below(input.length + 1));
}

/** A stretch of `input`, by its two ends. */
function stretch(input: Buffer, random: Random): [number, number] {
  const from = random.below(input.length + 1);
  return [from, Math.min(input.length, from + 1 + random.below(PIECE_BYTES_MAX))];
}

function removePiece(input: Buffer, random: Random): Buffer {
  const [from, to] = stretch(input, random);
  return Buffer.concat([input.subarray(0, from), input.subarray(to)]);
}

function repeatPiece(input: Buffer, random: Random): Buffer {
  const [from, to] = stretch(input, random);
  const times = 1 + random.below(random.below(8) === 0 ? 200 : 3);
  const piece = input.subarray(from, to);
  return Buffer.concat([input.subarray(0, to), ...Array<Buffer>(times).fill(piece), input.subarray(to)]);
}

function insertBytes(input: Buffer, random: Random): Buffer {
  const piece = Buffer.alloc(1 + random.below(8));
  for (let i = 0; i < piece.length; i++) piece[i] = random.below(256);
  return insertAt(input, random.below(input.length + 1), piece);
}

function insertToken(input: Buffer, random: Random, { dictionary }: Material): Buffer {
  const token = random.pick(dictionary);
  return token === undefined ? insertBytes(input, random) : insertAt(input, random.below(input.length + 1), token);
}

function replaceWithToken(input: Buffer, random: Random, { dictionary }: Material): Buffer {
  const token = random.pick(dictionary);
  if (token === undefined) return setField(input, random);
  const at = random.below(input.length + 1);
  return Buffer.concat([input.subarray(0, at), token, input.subarray(at + token.length)]);
}

/** The beginning of one input and the end of another. */
function splice(input: Buffer, random: Random, { corpus }: Material): Buffer {
  const other = random.pick(corpus) ?? input;
  return Buffer.concat([
    input.subarray(0, random.below(input.length + 1)),
    other.subarray(random.below(other.length + 1)),
  ]);
}

function insertAt(input: Buffer, at: number, piece: Buffer): Buffer {
  return Buffer.concat([input.subarray(0, at), piece, input.subarray(at)]);
}
