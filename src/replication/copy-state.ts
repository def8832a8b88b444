import { quoteText, type TableName, tableKey } from "../base/table-name.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import type { Connection } from "../mysql/connection.ts";
import { alike, type CarriedTable } from "../table/carried-columns.ts";
import { type Key, type KeyKind, keyKinds } from "../table/key-order.ts";
import { decodeBound, encodeBound, type KeyRange, RangeMap } from "../table/key-ranges.ts";
import type { TableShape } from "../table/table-shape.ts";
import { pieceJudge, type RowJudge, settledJudge, wholeTableJudge } from "./row-judge.ts";
import { SIDECAR } from "./sidecar.ts";
import type { StreamName } from "./stream-session.ts";
import type { TableDefinition } from "./table-definitions.ts";

/** A chunk row of the sidecar: keys that one snapshot's rows have been copied for. */
export interface CopiedChunk extends KeyRange {
  /** Of a table that counts only as a whole, how often its copy has begun. */
  readonly chunk: number;
  readonly snapshot: number;
  readonly rows: number;
  /** False while nothing of it has been committed, and for a table that counts only as a whole until it is whole. */
  readonly complete: boolean;
}

/** One table of a stream: what it looks like, and what of it has been copied. */
export interface CopiedTable {
  readonly name: TableName;
  readonly key: string;
  readonly definition: string;
  readonly shape: TableShape;
  readonly kinds: readonly KeyKind[] | undefined;
  /** Which column goes where; of a table with a mapping as {@link carryMapped} has found it on the target. */
  carried: CarriedTable;
  /**
   * A table with a mapping as its operator has made it on the target, with keys that are put aside while it is copied.
   * Absent for other tables, and for streams that do not copy.
   */
  readonly made?: MadeTable;
  /** Secondary keys have been added; nothing is left to do but to follow. */
  keyed: boolean;
  readonly chunks: CopiedChunk[];
}

/** A definition of the target, and the shape that it makes. */
export type MadeTable = Pick<TableDefinition, "definition" | "shape">;

/** A table to be followed, and where it is not ours to make on the target, what is there. */
export interface FollowedDefinition extends TableDefinition {
  readonly made?: MadeTable | undefined;
}

/** What the sidecar knows of a stream's tables, held in memory by the one process that may write it. */
export class CopyState {
  readonly tables: readonly CopiedTable[];
  readonly snapshots: Map<number, GtidSet>;

  constructor(tables: readonly CopiedTable[], snapshots: Map<number, GtidSet>) {
    this.tables = tables;
    this.snapshots = snapshots;
  }

  /** Keys of a table that no snapshot has copied yet. */
  gaps(table: CopiedTable): readonly KeyRange[] {
    if (table.keyed) return [];
    if (table.kinds === undefined) {
      return table.chunks.some((chunk) => chunk.complete) ? [] : [{ after: undefined, through: undefined }];
    }
    return new RangeMap(table.kinds, completeChunks(table).map(toPiece)).gaps();
  }

  /** Every key of every table has been copied once. */
  get copied(): boolean {
    return this.tables.every((table) => this.gaps(table).length === 0);
  }

  get keyed(): boolean {
    return this.tables.every((table) => table.keyed);
  }

  /** All transactions that any snapshot held. A stream that has done with them all need not judge rows any more. */
  get snapshotUnion(): GtidSet {
    return [...this.snapshots.values()].reduce((union, set) => union.union(set), GtidSet.empty);
  }

  get nextSnapshot(): number {
    return Math.max(0, ...this.snapshots.keys()) + 1;
  }

  judge(table: CopiedTable): RowJudge {
    if (table.keyed) return settledJudge;
    const positionOf = (chunk: CopiedChunk): GtidSet => this.snapshots.get(chunk.snapshot) ?? GtidSet.empty;
    if (table.kinds === undefined) {
      const whole = table.chunks.find((chunk) => chunk.complete);
      return wholeTableJudge(whole === undefined ? undefined : positionOf(whole));
    }
    return pieceJudge(
      table.kinds,
      completeChunks(table).map((chunk) => ({ ...toPiece(chunk), value: positionOf(chunk) })),
    );
  }
}

/** Those that have been committed and count: not what is under way, nor parts of a table that counts as a whole. */
function completeChunks(table: CopiedTable): readonly CopiedChunk[] {
  return table.chunks.filter((chunk) => chunk.complete);
}

function toPiece(chunk: CopiedChunk): KeyRange & { value: CopiedChunk } {
  return { after: chunk.after, through: chunk.through, value: chunk };
}

/** Reads all of it with locks, so that a commit of an earlier process that is still under way is waited for. */
export async function loadCopyState(
  connection: Connection,
  name: StreamName,
  tables: readonly TableName[],
): Promise<CopyState | undefined> {
  const migration = quoteText(name.migration);
  const shapes = await connection.rows(
    `SELECT table_key, definition, shape, keyed FROM ${SIDECAR.shape} WHERE migration = ${migration} ` +
      `AND direction = '${name.direction}' FOR SHARE`,
  );
  if (shapes.length === 0) return undefined;
  const forward = name.direction === "forward";
  const chunks = await connection.rows(
    `SELECT * FROM ${SIDECAR.chunk} WHERE migration = ${migration} ORDER BY table_key, chunk FOR SHARE`,
  );
  const snapshots = await connection.rows(
    `SELECT snapshot, gtids FROM ${SIDECAR.snapshot} WHERE migration = ${migration} FOR SHARE`,
  );
  const loaded = tables.flatMap((table): CopiedTable[] => {
    const key = tableKey(table);
    const row = shapes.find((one) => one["table_key"] === key);
    if (row === undefined) return [];
    const { made, ...shape } = JSON.parse(row["shape"] ?? "") as TableShape & { readonly made?: MadeTable };
    const kinds = keyKinds(shape);
    return [
      {
        name: table,
        key,
        definition: row["definition"] ?? "",
        shape,
        kinds,
        carried: alike(shape),
        ...(made === undefined ? {} : { made }),
        keyed: row["keyed"] === "1",
        chunks: forward
          ? chunks
              .filter((one) => one["table_key"] === key)
              .map((one) => parseChunk(row["keyed"] === "1" ? "whole" : kinds, one))
          : [],
      },
    ];
  });
  const sets = snapshots.map((row) => [Number(row["snapshot"]), GtidSet.parse(row["gtids"] ?? "")] as const);
  return loaded.length === tables.length ? new CopyState(loaded, new Map(forward ? sets : [])) : undefined;
}

/** @param kinds `whole` where bounds do not count any more; they are of a key that the table may have no longer */
function parseChunk(kinds: readonly KeyKind[] | undefined | "whole", row: Record<string, string | null>): CopiedChunk {
  const bound = (text: string | null | undefined): Key | undefined =>
    kinds === "whole" ? undefined : decodeBound(kinds ?? [], text ?? null);
  return {
    chunk: Number(row["chunk"]),
    snapshot: Number(row["snapshot"]),
    after: bound(row["low"]),
    through: bound(row["high"]),
    rows: Number(row["row_count"]),
    complete: row["complete"] === "1",
  };
}

/** Keeps the definitions by which the stream reads rows from now on; `keyed` for streams that do not copy. */
export async function saveShapes(
  connection: Connection,
  name: StreamName,
  definitions: readonly FollowedDefinition[],
  keyed: boolean,
): Promise<CopyState> {
  await connection.query("BEGIN");
  await connection.query(
    `DELETE FROM ${SIDECAR.shape} WHERE migration = ${quoteText(name.migration)} AND direction = '${name.direction}'`,
  );
  for (const { name: table, definition, shape, made } of definitions) {
    await connection.query(
      `INSERT INTO ${SIDECAR.shape} (migration, direction, table_key, definition, shape, keyed) VALUES ` +
        `(${quoteText(name.migration)}, '${name.direction}', ${quoteText(tableKey(table))}, ${quoteText(definition)}, ` +
        `${quoteText(JSON.stringify({ ...shape, made }))}, ${keyed ? 1 : 0})`,
    );
  }
  await connection.query("COMMIT");
  const tables = definitions.map(({ name: table, definition, shape, made }) => {
    const kept = made === undefined ? {} : { made };
    const carried = { carried: alike(shape), ...kept };
    return {
      name: table,
      key: tableKey(table),
      definition,
      shape,
      kinds: keyKinds(shape),
      ...carried,
      keyed,
      chunks: [],
    };
  });
  return new CopyState(tables, new Map());
}

/** The statement that records a chunk as copied so far, for the transaction that copies it. */
export function recordChunk(
  migration: string,
  table: CopiedTable,
  chunk: CopiedChunk & { readonly through: Key | undefined },
): string {
  const kinds = table.kinds ?? [];
  const literal = (text: string | null): string => (text === null ? "NULL" : quoteText(text));
  return (
    `REPLACE INTO ${SIDECAR.chunk} (migration, table_key, chunk, low, high, snapshot, row_count, complete) VALUES ` +
    `(${quoteText(migration)}, ${quoteText(table.key)}, ${chunk.chunk}, ${literal(encodeBound(kinds, chunk.after))}, ` +
    `${literal(encodeBound(kinds, chunk.through))}, ${chunk.snapshot}, ${chunk.rows}, ${chunk.complete ? 1 : 0})`
  );
}
