/** Text from elsewhere, to be shown in one line: what would steer a terminal or break the line is a space. */
export function printable(text: string, charsMax = Number.POSITIVE_INFINITY): string {
  return text.slice(0, charsMax).replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, " ");
}
