/** A comment ahead of the first word, with nothing else in it. */
const HINT = /^\s*\/\*\s*switchyard:route=([A-Za-z0-9_-]{1,64})\s*\*\//;
const HINT_BYTES_MAX = 200;
const SLASH = 0x2f;
const SPACE = 0x20;

/** The backend that a text asks for by a comment `switchyard:route=new` ahead of all else. */
export function routeHintOf(text: Buffer): string | undefined {
  let at = 0;
  while (at < text.length && (text[at] as number) <= SPACE) at++;
  if (text[at] !== SLASH) return undefined;
  return HINT.exec(text.toString("latin1", 0, HINT_BYTES_MAX))?.[1];
}
