import { SwitchyardError } from "../base/errors.ts";
import type { EventReader } from "./event-reader.ts";
import { decodeTableMap, type TableMap } from "./table-map.ts";

/** Maps that are remembered beyond their transaction: of so many tables, and of so many bytes in all. */
const KNOWN_TABLES_MAX = 10_000;
const KNOWN_BYTES_MAX = 64 * 1024 * 1024;

/** A map of the widest table has some 100 KB, with texts of many ENUM columns some MB; a transaction has one for each table. */
const TRANSACTION_BYTES_MAX = 64 * 1024 * 1024;

/**
 * The table maps of a log: those of the running transaction, by which its rows are read, and the last one of each
 * table, because servers send the same one with every statement. Both are bounded in bytes.
 */
export class TableMaps {
  /** Of the running transaction, by table number. */
  readonly running: ReadonlyMap<number, TableMap>;
  readonly #running = new Map<number, TableMap>();
  #runningSum = 0;
  readonly #known = new Map<number, TableMap>();
  #knownSum = 0;

  constructor() {
    this.running = this.#running;
  }

  /**
   * Reads the body of a TABLE_MAP event.
   *
   * @throws {SwitchyardError} `BINLOG_TABLE_MAPS_TOO_LARGE`, `BINLOG_MALFORMED`, `BINLOG_COLUMN_UNKNOWN`
   */
  take(reader: EventReader): TableMap {
    const bytes = reader.buffer.subarray(reader.offset, reader.end);
    const id = bytes.length < 6 ? -1 : bytes.readUIntLE(0, 6);
    const known = this.#known.get(id);
    const table = known?.body.equals(bytes) === true ? known : decodeTableMap(reader);
    const before = this.#running.get(id);
    if (before !== table) this.#count(table.body.length - (before?.body.length ?? 0));
    this.#running.set(id, table);
    if (table !== known) this.#remember(id, table);
    return table;
  }

  /** Another transaction begins. */
  endTransaction(): void {
    this.#running.clear();
    this.#runningSum = 0;
  }

  /** Another log begins, in which numbers mean other tables. */
  forget(): void {
    this.endTransaction();
    this.#known.clear();
    this.#knownSum = 0;
  }

  #count(bytes: number): void {
    this.#runningSum += bytes;
    if (this.#runningSum <= TRANSACTION_BYTES_MAX) return;
    throw new SwitchyardError("BINLOG_TABLE_MAPS_TOO_LARGE", {
      what: `the tables of one transaction take more than ${TRANSACTION_BYTES_MAX} bytes to describe`,
      changed: "The stream stopped within this transaction, which is not committed at the target.",
      fix: "Check the log with mysqlbinlog; a transaction over fewer tables can be followed.",
    });
  }

  #remember(id: number, table: TableMap): void {
    const bytes = table.body.length;
    if (this.#known.size >= KNOWN_TABLES_MAX || this.#knownSum + bytes > KNOWN_BYTES_MAX) {
      this.#known.clear();
      this.#knownSum = 0;
    }
    this.#knownSum += bytes - (this.#known.get(id)?.body.length ?? 0);
    this.#known.set(id, table);
  }
}
