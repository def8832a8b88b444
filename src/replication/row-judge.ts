import type { Gtid, GtidSet } from "../gtid/gtid-set.ts";
import type { Key, KeyKind } from "../table/key-order.ts";
import { type Piece, RangeMap } from "../table/key-ranges.ts";

/** A copied run of keys: the rows as of a snapshot, which holds the transactions of `position`. */
export interface CopiedPiece extends Piece<GtidSet> {}

/**
 * Says for one table which row images a transaction may still change on the target: those whose key has been copied,
 * by a snapshot that did not hold the transaction. A row that is not copied yet will be, by a later snapshot that
 * holds it; a row that the snapshot already showed must not change twice.
 *
 * An image is judged by its own key alone. An update is therefore a removal of its image before and an addition of
 * its image after, each with a verdict of its own.
 */
export interface RowJudge {
  /** Every image of every transaction to come applies: there is no need to ask. */
  readonly settled: boolean;
  applies(key: Key | undefined, gtid: Gtid): boolean;
}

/** For tables that are copied whole and whose snapshots the stream has passed, and for streams that do not copy. */
export const settledJudge: RowJudge = { settled: true, applies: () => true };

/** For a table without computable key order: copied as one piece, or not at all. */
export function wholeTableJudge(copied: GtidSet | undefined): RowJudge {
  return { settled: false, applies: (_key, gtid) => copied !== undefined && !copied.has(gtid) };
}

export function pieceJudge(kinds: readonly KeyKind[], pieces: readonly CopiedPiece[]): RowJudge {
  const ranges = new RangeMap(kinds, pieces);
  return {
    settled: false,
    applies(key, gtid) {
      const position = key === undefined ? undefined : ranges.find(key);
      return position !== undefined && !position.has(gtid);
    },
  };
}
