import type { ColumnShape, TableShape } from "./table-shape.ts";

/** A column that both sides have: its positions, and whether a value that is read may not fit where it is written. */
export interface CarriedColumn {
  readonly from: number;
  readonly to: number;
  readonly narrows: boolean;
}

/**
 * How the rows of a table on one server become rows of the table of its name on another: which column is which. Whoever
 * writes a row writes these columns and no others.
 */
export interface CarriedTable {
  /** As it is where rows are read, and where they are written. */
  readonly from: TableShape;
  readonly to: TableShape;
  /** In the order of {@link from}; also those that each server computes for itself. */
  readonly columns: readonly CarriedColumn[];
}

/** Both sides have the same columns. */
export function alike(shape: TableShape): CarriedTable {
  const columns = shape.columns.map((_, position) => ({ from: position, to: position, narrows: false }));
  return { from: shape, to: shape, columns };
}

/** The columns that are written, with what they are on either side. */
export function writtenColumns({
  from,
  to,
  columns,
}: CarriedTable): readonly { readonly from: ColumnShape; readonly to: ColumnShape }[] {
  return columns.flatMap((column) => {
    const [mine, theirs] = [from.columns[column.from], to.columns[column.to]];
    return mine === undefined || theirs === undefined || mine.generated ? [] : [{ from: mine, to: theirs }];
  });
}

/** Columns of the side that is written which nothing is written to: a new row gets their defaults, a row that is there keeps its values. */
export function keptColumns({ to, columns }: CarriedTable): readonly ColumnShape[] {
  const written = new Set(columns.map((column) => column.to));
  return to.columns.filter((column, position) => !written.has(position) && !column.generated);
}
