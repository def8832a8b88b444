import { describe, expect, test } from "vitest";
import type { BinlogEvent } from "../../../src/binlog/binlog-event.ts";
import { TransactionReader } from "../../../src/binlog/transaction-reader.ts";
import { type ShapeEvent, TRANSACTION_STEPS, type TransactionState } from "../../../src/binlog/transaction-states.ts";

const uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
const facts = {
  commitMicros: 1,
  originalCommitMicros: 1,
  transactionBytes: 1,
  lastCommitted: 0,
  sequenceNumber: 1,
  mayHaveStatements: false,
  serverVersion: 90704,
  originalServerVersion: 90704,
};
const gtid = (gno: number): BinlogEvent => ({ kind: "gtid", gtid: { uuid, tag: "", gno }, ...facts });
const query = (sql: string): BinlogEvent => ({
  kind: "query",
  ofThread: false,
  schema: "d",
  sql,
  sqlMode: 0n,
  threadId: 1,
  timestamp: 0,
  executionSeconds: 0,
  errorCode: 0,
  status: Buffer.alloc(0),
});
const table = {
  tableId: 1,
  flags: 0,
  schema: "d",
  table: "t",
  columns: [],
  nullable: Buffer.alloc(0),
  jsonColumns: 0,
  metadata: Buffer.alloc(0),
  body: Buffer.alloc(0),
  unsigned: undefined,
  collations: undefined,
  names: undefined,
};
const rows: BinlogEvent = {
  kind: "rows",
  operation: "write",
  table,
  flags: 1,
  statementEnd: true,
  partitions: undefined,
  partialJson: false,
  columns: Buffer.alloc(0),
  columnsAfter: Buffer.alloc(0),
  rows: Buffer.alloc(0),
};
const xid: BinlogEvent = { kind: "xid", xid: 1n };
const branch = { formatId: 1, gtrid: Buffer.from("x"), bqual: Buffer.alloc(0) };
const packed = [query("BEGIN"), rows, xid];

function read(...events: readonly BinlogEvent[]): string[] {
  const reader = new TransactionReader();
  const parts = events.flatMap((event) => [...reader.push(event)]);
  expect(reader.isBetween).toBe(true);
  return parts.map((part) => (part.kind === "end" ? `end ${part.how}` : part.kind));
}

describe("shapes of transactions that only some servers write", () => {
  test.each<[string, readonly BinlogEvent[], readonly string[]]>([
    [
      "a commit as text, of an engine without transactions",
      [gtid(1), query("BEGIN"), rows, query("COMMIT")],
      ["begin", "rows", "end commit"],
    ],
    [
      "a savepoint that is kept",
      [gtid(1), query("BEGIN"), query("SAVEPOINT `s`"), rows, xid],
      ["begin", "rows", "end commit"],
    ],
    [
      "XA prepared, others between, then committed under its own GTID",
      [
        gtid(1),
        query("XA START X'78',X'',1"),
        rows,
        query("XA END X'78',X'',1"),
        { kind: "xa-prepare", onePhase: false, branch },
        gtid(2),
        query("BEGIN"),
        xid,
        gtid(3),
        query("XA COMMIT X'78',X'',1"),
      ],
      ["begin", "rows", "end prepare", "begin", "end commit", "begin", "end commit"],
    ],
    [
      "rotations and heartbeats between",
      [
        { kind: "heartbeat", file: "f", position: 4 },
        { kind: "rotate", file: "f", position: 4 },
        { kind: "rows-query", sql: "INSERT" },
        gtid(1),
        query("BEGIN"),
        xid,
      ],
      ["begin", "end commit"],
    ],
    [
      "a payload",
      [
        gtid(1),
        {
          kind: "payload",
          compression: "none",
          compressedBytes: 1,
          uncompressedBytes: 1,
          *events() {
            yield* packed;
          },
          async *stream() {
            yield* packed;
          },
        },
      ],
      ["begin", "rows", "end commit"],
    ],
  ])("%s", (_what, events, expected) => {
    expect(read(...events)).toEqual(expected);
  });
});

describe("what cannot be followed stops the stream and is named", () => {
  test.each<[string, readonly BinlogEvent[]]>([
    ["rows without a transaction", [rows]],
    ["a transaction inside another", [gtid(1), query("BEGIN"), rows, gtid(2)]],
    [
      "rows undone by text, of which the log cannot tell which were",
      [gtid(1), query("BEGIN"), rows, query("ROLLBACK TO `s`")],
    ],
    ["a whole transaction undone by text", [gtid(1), query("BEGIN"), rows, query("ROLLBACK")]],
    ["the context of a statement", [gtid(1), query("BEGIN"), { kind: "statement-context", type: 5 }]],
    ["rows after the end of an XA branch", [gtid(1), query("XA START 'x'"), query("XA END 'x'"), rows]],
  ])("%s", (_what, events) => {
    const reader = new TransactionReader();
    expect(() => events.flatMap((event) => [...reader.push(event)])).toThrow("BINLOG_TRANSACTION_SHAPE");
  });

  test("every way out of a transaction leads between transactions, and nothing but a GTID leads in", () => {
    for (const [state, steps] of Object.entries(TRANSACTION_STEPS) as [
      TransactionState,
      (typeof TRANSACTION_STEPS)["between"],
    ][]) {
      for (const [event, step] of Object.entries(steps) as [ShapeEvent, (typeof steps)["gtid"]][]) {
        if ("refuse" in step) continue;
        if (step.emit.startsWith("end")) expect(step.to).toBe("between");
        if (state === "between" && step.to !== "between") expect(event).toBe("gtid");
        if (state !== "between" && step.to === "between") expect(step.emit).toMatch(/^end/);
      }
    }
  });
});
