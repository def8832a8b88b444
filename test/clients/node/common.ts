import { existsSync } from "node:fs";

/** What the runner tells every client program; see `../README.md`. */
export const ASKED = {
  mode: text("MODE"),
  client: Number(text("CLIENT")),
  stopFile: text("STOP"),
  tls: text("TLS") === "required",
  compress: text("COMPRESS") === "yes",
  account: { host: text("HOST"), port: Number(text("PORT")), user: text("USER"), password: text("PASSWORD") },
};

/** A value for each column of `ledger.value` but the first two. */
export const EVERY_VALUE: readonly unknown[] = [
  -128,
  -9223372036854775808n,
  18446744073709551615n,
  "12345678901234567890.0123456789",
  0.1,
  "2024-02-29",
  "2024-02-29 23:59:59.123456",
  "2024-06-01 10:00:00.000001",
  "-100:59:59.000001",
  2155,
  'Zoë 🚲 it\'s \\ "q"',
  Buffer.from("\x00\xff'\\\n\x1a", "latin1"),
  Buffer.alloc(300, 0x80),
  '{"a": [1, null, "é"]}',
  "b",
  "x,y",
  341,
];

/** The same values, as SQL. */
export const EVERY_LITERAL = `-128, -9223372036854775808, 18446744073709551615, 12345678901234567890.0123456789, 0.1,
  '2024-02-29', '2024-02-29 23:59:59.123456', '2024-06-01 10:00:00.000001', '-100:59:59.000001', 2155,
  'Zoë 🚲 it''s', x'00FF275C0A1A', REPEAT(x'80', 300), '{"a": [1, null, "é"]}', 'b', 'x,y', 341`;

export const ATTRIBUTES = `SELECT ATTR_NAME AS name, ATTR_VALUE AS value
  FROM performance_schema.session_account_connect_attrs WHERE PROCESSLIST_ID = CONNECTION_ID()
  AND ATTR_NAME IN ('_client_name', '_client_version', 'program_name') ORDER BY 1`;

/** Tells the runner what a step of the common script has found. */
export function say(step: string, ...found: readonly unknown[]): void {
  const plain = (_: string, value: unknown): unknown => (typeof value === "bigint" ? `${value}n` : value);
  process.stdout.write(`${[step, ...found.map((value) => JSON.stringify(value, plain))].join("\t")}\n`);
}

/** Writes and reads until the runner has seen enough, and tells of each write once it is acknowledged. */
export async function writeUntilStopped(write: (sequence: number) => Promise<unknown>): Promise<void> {
  for (let sequence = 1; !existsSync(ASKED.stopFile); sequence += 1) {
    const copies = await write(sequence);
    if (Number(copies) !== 1) throw new Error(`write ${sequence} is there ${String(copies)} times`);
    process.stdout.write(`ack\t${sequence}\n`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function text(name: string): string {
  return process.env[name] ?? "";
}
