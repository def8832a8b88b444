/** Classes of bytes in a statement's text. */
export const IDENT = 1;
export const DIGIT = 2;
export const SPACE = 3;

/**
 * What a byte is outside of quotes and comments: part of a word, a digit, a space, or 0 for anything else. Bytes
 * beyond ASCII belong to words, as in UTF-8.
 */
export const byteClass: Uint8Array = (() => {
  const classes = new Uint8Array(256);
  for (let byte = 0x61; byte <= 0x7a; byte++) classes[byte] = IDENT;
  for (let byte = 0x41; byte <= 0x5a; byte++) classes[byte] = IDENT;
  for (let byte = 0x80; byte <= 0xff; byte++) classes[byte] = IDENT;
  classes[0x5f] = IDENT;
  classes[0x24] = IDENT;
  for (let byte = 0x30; byte <= 0x39; byte++) classes[byte] = DIGIT;
  for (const byte of [0x20, 0x09, 0x0a, 0x0b, 0x0c, 0x0d]) classes[byte] = SPACE;
  return classes;
})();
