import { readdirSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { CAP, hasFlag } from "../../../src/wire/capabilities.ts";
import { textOfBinaryRow } from "../../support/binary-value-text.ts";
import { WireConversation } from "../../support/wire-conversation.ts";
import { readRecording } from "../../support/wire-recording.ts";

const FOLDER = resolve(import.meta.dirname, "../../golden/wire");
const FILES = readdirSync(FOLDER).filter((file) => file.endsWith(".txt"));

/** Hears a recording, in pieces of so many bytes, whatever the pieces in which it once came. */
function hear(file: string, pieceBytes = 1 << 20): WireConversation {
  const conversation = new WireConversation();
  for (const { from, bytes } of readRecording(resolve(FOLDER, file)).spoken) {
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      conversation.hear({ from, bytes: bytes.subarray(at, at + pieceBytes) });
    }
  }
  return conversation;
}

describe.each(FILES)("bytes that a real client and a real server sent: %s", (file) => {
  test.each(file.includes("large") ? [1 << 20] : [1, 7, 1460, 1 << 20])(
    "are read, and written the same, %d bytes at a time",
    (pieceBytes) => {
      const conversation = hear(file, pieceBytes);
      expect(conversation.defects).toEqual([]);
      expect(conversation.seen.get("greeting")).toBe(1);
    },
  );
});

describe("the recordings", () => {
  test("hold every kind of packet", () => {
    const kinds = new Set(FILES.flatMap((file) => [...hear(file).seen.keys()]));
    const expected = [
      ...["greeting", "handshake response", "TLS request", "authentication switch", "authentication data", "login OK"],
      ...["OK", "EOF", "ERR", "end of rows", "columns", "column definition", "text row", "binary row", "local-infile"],
      ...["query", "prepare OK", "execute", "execute with types", "long data", "fetch", "change user", "statistics"],
      ...["session: variables", "session: schema", "session: state", "session: gtids", "client envelope"],
      ...["session: transaction-characteristics", "session: transaction-state"],
    ];
    expect(expected.filter((kind) => !kinds.has(kind))).toEqual([]);
  });

  test("of compressed connections are the same conversation as that without compression", () => {
    const plain = hear("mysql-plain.txt");
    for (const file of ["mysql-zlib.txt", "mysql-zstd.txt"]) {
      const packed = hear(file);
      // The client's `status` shows numbers that differ from one connection to the next.
      const rows = (conversation: WireConversation) => conversation.textRows.filter((row) => row.length !== 2);
      expect(packed.textRows.length).toBe(plain.textRows.length);
      expect(rows(packed).slice(3)).toEqual(rows(plain).slice(3));
      expect(packed.seen.get("client envelope")).toBeGreaterThan(20);
    }
    expect(hasFlag(hear("mysql-zstd.txt").capabilities, CAP.ZSTD)).toBe(true);
  });

  test("show each value of every type the same in both protocols", () => {
    const { textRows, binaryRows, columns } = { ...kindsOf("mysql2-plain.txt") };
    expect(binaryRows).toHaveLength(4);
    for (const [index, row] of binaryRows.entries()) expect(textOfBinaryRow(row, columns)).toEqual(textRows[index]);
  });

  test("show what the server made of long data, of types given before, and of attributes", () => {
    const { binaryRows } = hear("long-data.txt");
    const seen = binaryRows.slice(0, 3).map((row) => row.map((value) => (Buffer.isBuffer(value) ? `${value}` : value)));
    expect(seen).toEqual([
      [9223372036854775808n, 5n, "me"],
      [9223372036854775808n, null, null],
      [9223372036854775808n, 1234n, null],
    ]);
    expect(binaryRows.slice(3).map(([id]) => id)).toEqual([1, 2, 3, 4]);
  });

  test("show changes of the session as the server tells them", () => {
    const { changes } = hear("mysql-plain.txt");
    const told = changes.map((change) => JSON.stringify(change));
    for (const letters of ["T_R_____", "T_R_W___", "________"]) {
      expect(told).toContain(JSON.stringify({ kind: "transaction-state", letters }));
    }
    expect(told).toContain('{"kind":"state","changed":true}');
    expect(told.some((text) => text.includes("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"))).toBe(true);
    expect(changes.find(({ kind }) => kind === "gtids")).toMatchObject({
      encoding: 0,
      text: expect.stringMatching(/^[0-9a-f-]{36}:\d+$/),
    });
    const variables = changes.flatMap((change) => (change.kind === "variables" ? change.variables : []));
    expect(variables.map(([name, value]) => `${name}=${value}`)).toContain("character_set_client=utf8mb4");
  });

  test("of 17 MiB each way come whole out of their envelopes", () => {
    const { textRows, commands } = hear("mysql-zlib-large.txt");
    expect(textRows.map(([field]) => (field ?? "").length)).toEqual(expect.arrayContaining([8, 17 << 20, 4]));
    expect(textRows.flat()).toContain(String(17 << 20));
    expect(commands.texts.some((text) => text.startsWith("SELECT LENGTH('sss"))).toBe(true);
  });
});

/** The rows of the table with every type: all binary ones of the session, and as many text rows that look like them. */
function kindsOf(file: string) {
  const conversation = hear(file);
  const columns = conversation.resultColumns.find((result) => result.some(({ orgName }) => orgName === "tm6")) ?? [];
  return {
    columns,
    binaryRows: conversation.binaryRows.filter((row) => row.length === columns.length),
    textRows: conversation.textRows.filter((row) => row.length === columns.length),
  };
}
