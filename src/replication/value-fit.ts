import type { ColumnType } from "../binlog/column-type.ts";
import { hasValueText, valueText } from "../binlog/value-text.ts";
import { fitTest } from "../table/narrowing.ts";
import type { ColumnShape } from "../table/table-shape.ts";

/** Whether a value of a row image fits into the column that it goes to. */
export interface ImageFit {
  (buffer: Buffer, start: number, end: number): boolean;
  /** Whether NULL does. */
  readonly null: boolean;
}

/** The test for values of `from`, which come in the log as `type`, that go to a narrower column. */
export function fitOf(from: ColumnShape, to: ColumnShape, type: ColumnType): ImageFit {
  const fits = fitTest(from, to);
  const test = (buffer: Buffer, start: number, end: number): boolean =>
    fits(
      hasValueText(type)
        ? Buffer.from(valueText(type, from.unsigned, buffer, start), "latin1")
        : buffer.subarray(start, end),
    );
  return Object.assign(test, { null: to.nullable });
}
