import { BinlogDecoder } from "../../src/binlog/binlog-decoder.ts";
import type { BinlogEvent, QueryEvent, RowsEvent, TransactionFacts } from "../../src/binlog/binlog-event.ts";
import { decodeQueryStatus } from "../../src/binlog/query-status.ts";
import { RowWalker } from "../../src/binlog/row-walker.ts";
import { formatGtid } from "../../src/gtid/gtid-set.ts";
import { eventsOfFile } from "./binlog-bytes.ts";
import { tableLines } from "./printed-tables.ts";
import { imageLines } from "./printed-values.ts";

/** An event as our decoder reads it, in the words of mysqlbinlog. */
export interface DecodedEvent {
  readonly event: BinlogEvent;
  readonly endPosition: number;
  readonly lines: readonly string[];
}

/** mysqlbinlog prints the rows of a statement's several events together, below the last of them. */
class StatementRows {
  #lines: string[] = [];

  add(event: BinlogEvent): string[] {
    if (event.kind !== "rows") return [];
    this.#lines.push(...rowsLines(event));
    return event.statementEnd ? this.#lines.splice(0) : [];
  }
}

/** Decodes a log file and describes each event as mysqlbinlog would, those inside of compressed transactions too. */
export function describeLog(file: Buffer): DecodedEvent[] {
  const decoder = new BinlogDecoder();
  const described: DecodedEvent[] = [];
  const rows = new StatementRows();
  const describe = (event: BinlogEvent, endPosition: number): void => {
    described.push({ event, endPosition, lines: [...linesOf(event), ...rows.add(event)] });
  };
  for (const packet of eventsOfFile(file)) {
    const event = decoder.decode(packet);
    // At a rotation the decoder's place is already in the next file.
    const endPosition = event.kind === "rotate" ? packet.readUInt32LE(13) : decoder.place.position;
    describe(event, endPosition);
    if (event.kind !== "payload") continue;
    for (const inner of event.events()) describe(inner, endPosition);
  }
  return described;
}

function linesOf(event: BinlogEvent): string[] {
  switch (event.kind) {
    case "format-description":
      return [`format ${event.serverVersion}`];
    case "previous-gtids":
      return [`previous-gtids ${event.set.toString()}`];
    case "gtid":
      return [`gtid ${formatGtid(event.gtid)} ${factsText(event)}`];
    case "anonymous-gtid":
      return [`gtid ANONYMOUS ${factsText(event)}`];
    case "query":
      return [
        `query thread_id=${event.threadId} exec_time=${event.executionSeconds} error_code=${event.errorCode}`,
        // The printed text is read as latin1.
        `  ${latin1(event.sql)}`,
      ];
    case "table-map":
      return tableLines(event.table);
    case "rows":
      return [rowsHead(event)];
    case "payload":
      return [
        `payload payload_size=${event.compressedBytes} compression_type=${event.compression.toUpperCase()} uncompressed_size=${event.uncompressedBytes}`,
      ];
    case "xid":
      return [`xid ${event.xid}`];
    case "xa-prepare": {
      const { branch, onePhase } = event;
      const name = `X'${branch.gtrid.toString("hex")}',X'${branch.bqual.toString("hex")}',${branch.formatId}`;
      return [onePhase ? `xa XA COMMIT ${name} ONE PHASE` : `xa XA PREPARE ${name}`];
    }
    case "rotate":
      return [`rotate ${event.file}:${event.position}`];
    case "rows-query":
      return [`rows-query ${latin1(event.sql)}`];
    default:
      return [event.kind];
  }
}

function factsText(facts: TransactionFacts): string {
  return [
    `last_committed=${facts.lastCommitted}`,
    `sequence_number=${facts.sequenceNumber}`,
    `rbr_only=${facts.mayHaveStatements ? "no" : "yes"}`,
    `original_committed_timestamp=${facts.originalCommitMicros}`,
    `immediate_commit_timestamp=${facts.commitMicros}`,
    `transaction_length=${facts.transactionBytes}`,
    `${facts.serverVersion} ${facts.originalServerVersion}`,
  ].join(" ");
}

const ROWS_NAMES = { write: "Write_rows", update: "Update_rows", delete: "Delete_rows" } as const;
const FLAG_NAMES = [
  "STMT_END_F",
  "NO_FOREIGN_KEY_CHECKS_F",
  "RELAXED_UNIQUE_CHECKS_F",
  "COMPLETE_ROWS_F",
  "USE_SQL_FOREIGN_KEY_F",
];

function rowsHead(event: RowsEvent): string {
  const name = `${ROWS_NAMES[event.operation]}${event.partialJson ? "_partial" : ""}`;
  const flags = FLAG_NAMES.filter((_, bit) => (event.flags & (1 << bit)) !== 0);
  return `${name}: table id ${event.table.tableId}${flags.length > 0 ? ` flags: ${flags.join(" ")}` : ""}`;
}

const VERBS = { write: "INSERT INTO", update: "UPDATE", delete: "DELETE FROM" } as const;

function rowsLines(event: RowsEvent): string[] {
  const lines: string[] = [];
  if (event.partitions !== undefined) lines.push(partitionText(event.partitions));
  const walker = new RowWalker(event);
  while (walker.next()) {
    lines.push(`${VERBS[event.operation]} \`${event.table.schema}\`.\`${event.table.table}\``);
    if (event.operation !== "write") {
      lines.push("WHERE");
      if (!imageLines(event.table, walker.before, lines)) return lines;
    }
    if (event.operation !== "delete") {
      lines.push("SET");
      if (!imageLines(event.table, walker.after, lines)) return lines;
    }
  }
  return lines;
}

function partitionText([partition, source]: readonly number[]): string {
  const text =
    source === undefined ? `partition: ${partition}` : `source_partition: ${source} target_partition: ${partition}`;
  return `Extra row info for partitioning: ${text}`;
}

/** A setting by the name that mysqlbinlog gives it; `undefined` where the statement does not carry it. */
export function settingOf(event: QueryEvent, name: string): string | undefined {
  const status = decodeQueryStatus(event.status);
  const flag = (bit: number, set: string, unset: string): string | undefined =>
    status.flags2 === undefined ? undefined : ((status.flags2 >>> bit) & 1) === 1 ? set : unset;
  const text = (value: unknown): string | undefined => (value === undefined ? undefined : String(value));
  const bool = (value: boolean | undefined): string | undefined =>
    value === undefined ? undefined : value ? "1" : "0";
  const readers: Readonly<Record<string, () => string | undefined>> = {
    foreign_key_checks: () => flag(26, "0", "1"),
    unique_checks: () => flag(27, "0", "1"),
    sql_auto_is_null: () => flag(14, "1", "0"),
    autocommit: () => flag(19, "0", "1"),
    sql_mode: () => text(status.sqlMode),
    auto_increment_increment: () => text(status.autoIncrement?.increment ?? 1),
    auto_increment_offset: () => text(status.autoIncrement?.offset ?? 1),
    character_set_client: () => text(status.charset?.client),
    collation_connection: () => text(status.charset?.connection),
    collation_server: () => text(status.charset?.server),
    time_zone: () => (status.timeZone === undefined ? undefined : `'${status.timeZone}'`),
    lc_time_names: () => text(status.localeNumber ?? 0),
    collation_database: () => text(status.databaseCollation ?? "DEFAULT"),
    default_collation_for_utf8mb4: () => text(status.utf8mb4Collation),
    sql_require_primary_key: () => bool(status.requirePrimaryKey),
    default_table_encryption: () => bool(status.defaultTableEncryption),
    explicit_defaults_for_timestamp: () => bool(status.explicitTimestampDefaults),
    pseudo_thread_id: () => text(event.threadId),
  };
  return readers[name]?.();
}

function latin1(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}
