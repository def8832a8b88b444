import { NAMES_PARTS, type NamesBehind, type NamesPart, type RulesDocument } from "./rules-document.ts";

/** What one server has behind names, as stored. More would make every change of the rules slow for every proxy. */
export const NAMES_BYTES_MAX = 128 * 1024;
/** The same of all servers together: the whole document must fit into one value of the store, 1 MiB. */
export const ALL_NAMES_BYTES_MAX = 512 * 1024;

/** A server of which nothing could be kept: each of its names may stand for any table. */
export const NOTHING_TOLD: NamesBehind = { views: {}, triggers: {}, routines: {}, leaves: {}, tooLarge: NAMES_PARTS };

/** Whether names that the server does not list in this part may touch any table. */
export function isPartial({ unseen = [], tooLarge = [] }: NamesBehind, part: NamesPart): boolean {
  return unseen.includes(part) || tooLarge.includes(part);
}

export function bytesOf(names: unknown): number {
  return Buffer.byteLength(JSON.stringify(names));
}

/** What servers have behind names, as far as it fits: of the largest nothing is kept where it does not. */
export function fitting(behind: Readonly<Record<string, NamesBehind>>): Readonly<Record<string, NamesBehind>> {
  const kept: Record<string, NamesBehind> = { ...behind };
  const bySize = Object.entries(behind).sort(([, one], [, other]) => bytesOf(other) - bytesOf(one));
  for (const [backend] of bySize) {
    if (bytesOf(kept) <= ALL_NAMES_BYTES_MAX) break;
    kept[backend] = NOTHING_TOLD;
  }
  return kept;
}

/**
 * What is known of names once `found` is known of the servers that were asked: what others have stays, unless nothing
 * lives there any more and no migration is about to move something there.
 */
export function mergedBehind(
  rules: RulesDocument,
  found: Readonly<Record<string, NamesBehind>>,
): Readonly<Record<string, NamesBehind>> {
  const homes = new Set([
    rules.default,
    ...Object.values(rules.tables).map(({ to }) => to),
    ...Object.values(rules.armed).map(({ newHome }) => newHome),
    ...Object.values(rules.holds).flatMap(({ oldHome, newHome }) => [oldHome, newHome]),
  ]);
  const all = Object.entries({ ...rules.behind, ...found });
  return fitting(Object.fromEntries(all.filter(([backend]) => homes.has(backend))));
}
