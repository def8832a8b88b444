import { grammarWords } from "./keywords.ts";
import { ADJACENT_FUNCTIONS, NATIVE_FUNCTIONS, OTHER_KEYWORDS } from "./word-list.ts";

/** The word is a keyword or a native function: `word(` never calls a stored function. */
const BUILT_IN = 1;
/** It is one only where the parenthesis follows at once. */
const ADJACENT = 2;

const SLOTS = 8192;
const slots = new Int16Array(SLOTS);
const spellings: Buffer[] = [Buffer.alloc(0)];
const flags: number[] = [0];
const numbers = new Map<string, number>();

/** Upper case of an ASCII letter, by setting one bit; other bytes of words do not collide under it in practice. */
const CASE_BIT = 0x20;

function hashOf(text: Buffer, start: number, end: number): number {
  let hash = end - start;
  for (let i = start; i < end; i++) hash = (Math.imul(hash, 31) + ((text[i] as number) | CASE_BIT)) | 0;
  return (hash ^ (hash >>> 13)) & (SLOTS - 1);
}

function add(word: string, flag: number): void {
  const known = numbers.get(word);
  if (known !== undefined) {
    flags[known] = (flags[known] ?? 0) | flag;
    return;
  }
  const spelling = Buffer.from(word, "latin1");
  const number = spellings.push(spelling) - 1;
  flags.push(flag);
  numbers.set(word, number);
  let slot = hashOf(spelling, 0, spelling.length);
  while (slots[slot] !== 0) slot = (slot + 1) & (SLOTS - 1);
  slots[slot] = number;
}

const split = (list: string): string[] => list.trim().split(/\s+/);
for (const word of grammarWords) add(word, word === "COUNT" ? 0 : BUILT_IN);
for (const word of split(OTHER_KEYWORDS)) add(word, BUILT_IN);
for (const word of split(NATIVE_FUNCTIONS)) add(word, BUILT_IN);
for (const word of split(ADJACENT_FUNCTIONS)) add(word, ADJACENT);

/** Letters of either case are equal; anything else only to itself. */
function equalsFolded(text: Buffer, start: number, spelling: Buffer): boolean {
  for (let i = 0; i < spelling.length; i++) {
    const expected = spelling[i] as number;
    const actual = text[start + i] as number;
    if (actual === expected) continue;
    if ((actual ^ expected) !== CASE_BIT || expected < 0x41 || expected > 0x5a) return false;
  }
  return true;
}

/** The number of the word between `start` and `end`, whatever its case; 0 for a word that is neither. */
export function wordNumber(text: Buffer, start: number, end: number): number {
  let slot = hashOf(text, start, end);
  for (;;) {
    const number = slots[slot] as number;
    if (number === 0) return 0;
    const spelling = spellings[number] as Buffer;
    if (spelling.length === end - start && equalsFolded(text, start, spelling)) return number;
    slot = (slot + 1) & (SLOTS - 1);
  }
}

/**
 * Whether the word, unquoted and followed by a parenthesis, can only be the server's own: a keyword or a native
 * function. `adjacent` says that nothing lies between.
 */
export function isBuiltInCall(number: number, adjacent: boolean): boolean {
  const flag = flags[number] as number;
  return (flag & BUILT_IN) !== 0 || (adjacent && (flag & ADJACENT) !== 0);
}

/** The number of a word known at start-up. */
export function numberOf(word: string): number {
  return numbers.get(word) ?? 0;
}
