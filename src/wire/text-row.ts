import { SwitchyardError } from "../base/errors.ts";
import { PacketWriter } from "./packet-writer.ts";

/** The length that stands for NULL in {@link TextRow.lengths}. */
export const NULL_LENGTH = -1;

/**
 * The fields of a row of the text protocol, found without copying any of them. One object is used for many rows:
 * {@link scan} fills `offsets` and `lengths` anew each time.
 */
export class TextRow {
  readonly offsets: Int32Array;
  /** Bytes of each field; {@link NULL_LENGTH} for NULL. */
  readonly lengths: Int32Array;
  #payload: Buffer = Buffer.alloc(0);

  constructor(columnCount: number) {
    this.offsets = new Int32Array(columnCount);
    this.lengths = new Int32Array(columnCount);
  }

  /** The row that was scanned last. */
  get payload(): Buffer {
    return this.#payload;
  }

  /**
   * Finds the fields of `payload`, or of the part of it from `from` to `to`, which must hold exactly as many as there
   * are columns. Offsets count from the beginning of `payload` in either case.
   *
   * @throws {SwitchyardError} `WIRE_MALFORMED`
   */
  scan(payload: Buffer, from = 0, to = payload.length): this {
    this.#payload = payload;
    const { offsets, lengths } = this;
    const count = offsets.length;
    let at = from;
    for (let column = 0; column < count; column++) {
      const first = at < to ? (payload[at] as number) : 0xff;
      let length = first;
      if (first < 0xfb) at += 1;
      else if (first === 0xfb) {
        offsets[column] = at + 1;
        lengths[column] = NULL_LENGTH;
        at += 1;
        continue;
      } else {
        length = longLength(payload, at, to, first);
        at += first === 0xfc ? 3 : first === 0xfd ? 4 : 9;
      }
      if (length > to - at) throw malformed(at - from, to - from);
      offsets[column] = at;
      lengths[column] = length;
      at += length;
    }
    if (at !== to) throw malformed(at - from, to - from);
    return this;
  }

  /** A view of one field; `null` for NULL. */
  field(column: number): Buffer | null {
    const length = this.lengths[column] ?? NULL_LENGTH;
    if (length === NULL_LENGTH) return null;
    const offset = this.offsets[column] ?? 0;
    return this.#payload.subarray(offset, offset + length);
  }

  /** One field as UTF-8 text; `null` for NULL. */
  text(column: number): string | null {
    const length = this.lengths[column] ?? NULL_LENGTH;
    if (length === NULL_LENGTH) return null;
    const offset = this.offsets[column] ?? 0;
    return this.#payload.toString("utf8", offset, offset + length);
  }
}

/** A row of the text protocol from its fields; `null` for NULL. */
export function buildTextRow(fields: readonly (Buffer | string | null)[]): Buffer {
  const writer = new PacketWriter();
  for (const field of fields) {
    if (field === null) writer.lenencNull();
    else writer.lenencBytes(field);
  }
  return writer.payload();
}

function longLength(payload: Buffer, at: number, to: number, first: number): number {
  const width = first === 0xfc ? 2 : first === 0xfd ? 3 : 8;
  if (first === 0xff || at + 1 + width > to) throw malformed(at, to);
  if (width < 8) return payload.readUIntLE(at + 1, width);
  // A field cannot be longer than its row, so the upper half must be 0.
  return payload.readUInt32LE(at + 5) === 0 ? payload.readUInt32LE(at + 1) : payload.length + 1;
}

function malformed(at: number, length: number): SwitchyardError {
  return new SwitchyardError("WIRE_MALFORMED", {
    what: "a row packet breaks the MySQL protocol: its fields do not fill it exactly",
    details: [`at byte ${at} of ${length}`],
  });
}
