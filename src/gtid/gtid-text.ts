import { SwitchyardError } from "../base/errors.ts";
import { type Intervals, normalize, unionIntervals } from "./intervals.ts";

/** As servers write it, or without its dashes, or in braces: they read all three. */
const UUID = /^(\{?)([0-9a-f]{8})(-?)([0-9a-f]{4})\3([0-9a-f]{4})\3([0-9a-f]{4})\3([0-9a-f]{12})(\}?)$/;
/** A tag as the server keeps it: in lower case. */
export const TAG = /^[a-z_][a-z0-9_]{0,31}$/;
const INTERVAL = /^([0-9]+)(?:\s*-\s*([0-9]+))?$/;

/** The largest transaction number that is read: up to here a number of JavaScript is exact. Servers count to 2^63 - 2. */
export const GTID_NUMBER_MAX = Number.MAX_SAFE_INTEGER;

/** The numbers in a set's text that are above {@link GTID_NUMBER_MAX}. */
export function numbersBeyond(text: string): readonly string[] {
  const numbers = text.split(/[:,]/).flatMap((part) => part.trim().split(/\s*-\s*/));
  return numbers.filter((number) => /^[0-9]{16,}$/.test(number) && BigInt(number) > BigInt(GTID_NUMBER_MAX));
}

/**
 * Text to intervals by source (`uuid` or `uuid:tag`). What a server reads as nothing is refused, since whoever wrote
 * it meant something: an interval that runs backwards, and a UUID or tag that no interval follows.
 *
 * @throws {SwitchyardError} `GTID_SET_INVALID`
 */
export function parseGtidSet(text: string): Map<string, Intervals> {
  const sources = new Map<string, Intervals>();
  for (const part of text.split(",")) {
    const trimmed = part.trim();
    if (trimmed !== "") parseSource(trimmed, sources);
  }
  return sources;
}

/** Intervals by source to canonical text. */
export function formatGtidSet(sources: ReadonlyMap<string, Intervals>): string {
  const keys = [...sources.keys()].sort();
  let text = "";
  let current = "";
  for (const key of keys) {
    const uuid = key.slice(0, 36);
    const tag = key.slice(37);
    if (uuid !== current) {
      text += text === "" ? uuid : `,${uuid}`;
      current = uuid;
    }
    if (tag !== "") text += `:${tag}`;
    const intervals = sources.get(key) ?? [];
    for (let i = 0; i < intervals.length; i += 2) {
      const first = intervals[i];
      const last = intervals[i + 1];
      text += first === last ? `:${first}` : `:${first}-${last}`;
    }
  }
  return text;
}

function parseSource(text: string, sources: Map<string, Intervals>): void {
  const [head, ...parts] = text.split(":").map((part) => part.trim());
  const uuid = readUuid((head ?? "").toLowerCase());
  if (uuid === undefined) throw invalid(text, "it does not begin with a server UUID");
  const pairs = new Map<string, [number, number][]>();
  let tag = "";
  let tagIsOpen = false;
  for (const part of parts) {
    const interval = INTERVAL.exec(part);
    if (interval !== null) {
      const list = pairs.get(tag) ?? [];
      list.push(parsePair(text, interval[1] ?? "", interval[2]));
      pairs.set(tag, list);
      tagIsOpen = false;
      continue;
    }
    const lower = part.toLowerCase();
    if (tagIsOpen || !TAG.test(lower)) throw invalid(text, `"${part.slice(0, 40)}" is neither an interval nor a tag`);
    tag = lower;
    tagIsOpen = true;
  }
  if (tagIsOpen || pairs.size === 0) throw invalid(text, "a source has no interval");
  for (const [ownTag, list] of pairs) {
    const key = ownTag === "" ? uuid : `${uuid}:${ownTag}`;
    sources.set(key, unionIntervals(sources.get(key) ?? [], normalize(list)));
  }
}

/** In lower case, with dashes and without braces. */
function readUuid(text: string): string | undefined {
  const match = UUID.exec(text);
  if (match === null || (match[1] === "{") !== (match[8] === "}")) return undefined;
  return [match[2], match[4], match[5], match[6], match[7]].join("-");
}

function parsePair(text: string, firstText: string, lastText: string | undefined): [number, number] {
  const first = Number(firstText);
  const last = lastText === undefined ? first : Number(lastText);
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last)) {
    throw beyond(text);
  }
  if (first < 1 || last < first) throw invalid(text, "an interval is empty or begins below 1");
  return [first, last];
}

/** The error of a number that cannot be held exactly, for both forms of a set. */
export function beyond(text: string): SwitchyardError {
  return new SwitchyardError("GTID_SET_INVALID", {
    what: `${text.slice(0, 200)}: a transaction number is above ${GTID_NUMBER_MAX}, which is as far as this program counts`,
    changed: "Nothing was changed.",
    fix: "Somebody has set gtid_next to such a number by hand; no server comes there by itself. `switchyard check` names the server. Move from, and to, servers without it.",
  });
}

function invalid(text: string, why: string): SwitchyardError {
  return new SwitchyardError("GTID_SET_INVALID", {
    what: `"${text.slice(0, 200)}" is not a GTID set: ${why}`,
  });
}
