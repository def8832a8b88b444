import type { KeyShape, TableShape } from "./table-shape.ts";

/** The key by which rows are told apart. */
export interface RowKey {
  /** Of its index: `PRIMARY`, or that of a unique key. */
  readonly name: string;
  /** Positions in {@link TableShape.columns}, in key order. */
  readonly columns: readonly number[];
}

/**
 * The key that tells every two rows of a table apart: the primary one, else the unique key of the fewest columns that can
 * stand in for it. `undefined` where none can: such a table may have the same row several times, and a row of it is
 * known by all of its values only.
 *
 * A unique key stands in where it holds no NULL, no expression, no generated column, and whole values only, and where the
 * server may be told to read by it.
 */
export function rowKey(shape: TableShape): RowKey | undefined {
  if (shape.primaryKey.length > 0) return { name: "PRIMARY", columns: shape.primaryKey };
  const [best] = shape.uniqueKeys
    .filter((key) => standsIn(shape, key))
    .toSorted((a, b) => a.columns.length - b.columns.length);
  return best === undefined ? undefined : { name: best.name, columns: best.columns };
}

/** The positions of {@link rowKey}'s columns; empty where there is no key. */
export function rowKeyColumns(shape: TableShape): readonly number[] {
  return rowKey(shape)?.columns ?? [];
}

/** The names of {@link rowKey}'s columns; empty where there is no key. */
export function rowKeyNames(shape: TableShape): readonly string[] {
  return rowKeyColumns(shape).map((position) => shape.columns[position]?.name ?? "");
}

function standsIn(shape: TableShape, key: KeyShape): boolean {
  if (key.prefix || key.hidden === true) return false;
  return key.columns.every((position) => {
    const column = shape.columns[position];
    return column !== undefined && !column.nullable && !column.generated;
  });
}
