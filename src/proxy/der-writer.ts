/** Writes ASN.1 values in the distinguished encoding, as far as a certificate needs them. */

export function derSequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

export function derSet(...parts: readonly Buffer[]): Buffer {
  return der(0x31, Buffer.concat(parts));
}

/** A positive integer from its bytes, most significant first. */
export function derInteger(bytes: Buffer): Buffer {
  const padded = (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.alloc(1), bytes]) : bytes;
  return der(0x02, padded);
}

export function derText(text: string): Buffer {
  return der(0x0c, Buffer.from(text, "utf8"));
}

export function derBits(bytes: Buffer): Buffer {
  return der(0x03, Buffer.concat([Buffer.alloc(1), bytes]));
}

export function derBytes(bytes: Buffer): Buffer {
  return der(0x04, bytes);
}

export function derTrue(): Buffer {
  return der(0x01, Buffer.from([0xff]));
}

export function derNull(): Buffer {
  return der(0x05, Buffer.alloc(0));
}

/** A value that is told by its place alone, such as the version of a certificate. */
export function derTagged(place: number, part: Buffer): Buffer {
  return der(0xa0 | place, part);
}

/** UTC; years from 2050 on need the longer form. */
export function derTime(time: Date): Buffer {
  const digits = `${time.toISOString().replaceAll(/[-:T]/g, "").slice(0, 14)}Z`;
  return time.getUTCFullYear() < 2050 ? der(0x17, Buffer.from(digits.slice(2))) : der(0x18, Buffer.from(digits));
}

/** An object identifier such as `2.5.4.3`. */
export function derOid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const groups = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return der(0x06, Buffer.from(bytes));
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >>> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}
