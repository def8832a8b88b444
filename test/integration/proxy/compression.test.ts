import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { RowDataPacket } from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CompressionWord } from "../../../src/mysql/compression-choice.ts";
import { Connection } from "../../../src/mysql/connection.ts";
import { MysqlError } from "../../../src/mysql/mysql-error.ts";
import { runClientProgram } from "../../support/client-programs.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { arm, disarm, drained, type Harness, hold, PASSWORD, seed, startHarness, swap, USER } from "./proxy-harness.ts";
import { startRelay, type TcpRelay } from "./tcp-relay.ts";

const ACCOUNT = { user: USER, password: PASSWORD };
const WORDS: readonly CompressionWord[] = ["uncompressed", "zlib", "zstd"];
const TEXT_BYTES = 400_000;
/** What remains of {@link TEXT_BYTES} in any compression, with login and answers. */
const PACKED_BYTES_MAX = 60_000;

let servers: Record<"old" | "new", TestServer>;

beforeAll(async () => {
  servers = await startServers(["old", "new"], { args: ["--max-allowed-packet=128M", "--local-infile=1"] });
  await seed(servers);
  for (const server of Object.values(servers)) {
    await server.root("CREATE TABLE shop.texts (id INT PRIMARY KEY, body LONGTEXT)");
    await server.root(`GRANT PROCESS, SYSTEM_VARIABLES_ADMIN ON *.* TO ${USER}@'%'`);
  }
  await servers.old.root("INSERT INTO shop.texts VALUES (1, REPEAT('text ', 80000)), (2, 'short')");
});
afterAll(() => stopServers(servers));

/** A proxy with a tap on either side of it. */
interface Tapped {
  readonly harness: Harness;
  readonly client: TcpRelay;
  readonly server: TcpRelay;
}

async function withTaps(
  backend: CompressionWord,
  tls: "required" | "disabled",
  use: (tapped: Tapped) => Promise<void>,
): Promise<void> {
  const server = await startRelay(servers.old);
  const harness = await startHarness(
    { ...servers, old: { host: "127.0.0.1", port: server.port } as TestServer },
    { backendCompression: { algorithms: [backend] }, backendTls: { mode: tls } },
  );
  const client = await startRelay({ host: "127.0.0.1", port: harness.port });
  try {
    await use({ harness, client, server });
  } finally {
    await client.close();
    await harness.close();
    await server.close();
  }
}

/** Bytes that passed each tap while `work` ran. */
async function passing<T>(
  tapped: Tapped,
  work: () => Promise<T>,
): Promise<{ result: T; client: number; server: number }> {
  const sum = (tap: TcpRelay): number => tap.passed.near + tap.passed.far;
  const before = [sum(tapped.client), sum(tapped.server)] as const;
  const result = await work();
  return { result, client: sum(tapped.client) - before[0], server: sum(tapped.server) - before[1] };
}

/** The bytes say whether a side was compressed. */
function expectSides(
  seen: { readonly client: number; readonly server: number },
  sides: { readonly client: CompressionWord; readonly backend: CompressionWord },
): void {
  const packed = (bytes: number): boolean => bytes < PACKED_BYTES_MAX;
  expect([packed(seen.client), packed(seen.server)]).toEqual([
    sides.client !== "uncompressed",
    sides.backend !== "uncompressed",
  ]);
}

describe.each(["disabled", "required"] as const)("with TLS %s on both sides", (tls) => {
  describe.each(WORDS)("and the backend %s", (backend) => {
    test("mysql and mysqldump with each compression get every byte, and each side has its own", async () => {
      await withTaps(backend, tls, async (tapped) => {
        const to = { port: tapped.client.port, tls, account: ACCOUNT };
        for (const client of WORDS) {
          const algorithm = `--compression-algorithms=${client}`;
          const statement = `SHOW SESSION STATUS LIKE 'Compression_algorithm'; SELECT '${"a".repeat(TEXT_BYTES)}' AS a;\n`;
          const seen = await passing(tapped, () =>
            runClientProgram("mysql", to, [algorithm, "--skip-column-names", "--max-allowed-packet=64M"], statement),
          );
          const server = backend === "uncompressed" ? "" : backend;
          expect(seen.result).toEqual({
            code: 0,
            error: "",
            out: `Compression_algorithm\t${server}\n${"a".repeat(TEXT_BYTES)}\n`,
          });
          expectSides(seen, { client, backend });
          const dump = await passing(tapped, () =>
            runClientProgram("mysqldump", to, [
              algorithm,
              "--set-gtid-purged=OFF",
              "--no-tablespaces",
              "shop",
              "texts",
            ]),
          );
          expect(dump.result.code).toBe(0);
          expect(dump.result.out).toContain(`(1,'${"text ".repeat(80_000)}'),(2,'short')`);
          expectSides(dump, { client, backend });
        }
      });
    });

    test("mysql2 that compresses reads, writes and prepares", async () => {
      await withTaps(backend, tls, async (tapped) => {
        const ssl = tls === "required" ? { ssl: { rejectUnauthorized: false } } : {};
        const seen = await passing(tapped, async () => {
          const client = await tapped.harness.connect({ port: tapped.client.port, compress: true, ...ssl });
          const [[row]] = await client.execute<RowDataPacket[]>("SELECT body FROM texts WHERE id = ?", [1]);
          expect(row?.["body"]).toBe("text ".repeat(80_000));
          const texts = Array.from({ length: 50 }, (_, n) => [n + 100, `text ${n}`]);
          await client.query("INSERT INTO texts VALUES ?", [texts]);
          const [rows] = await client.query<RowDataPacket[]>("SELECT body FROM texts WHERE id >= 100 ORDER BY id");
          expect(rows.map((one) => one["body"])).toEqual(texts.map(([, text]) => text));
          await client.query("DELETE FROM texts WHERE id >= 100");
          await client.end();
        });
        expectSides(seen, { client: "zlib", backend });
      });
    });
  });
});

describe("what is larger than a packet", () => {
  const BYTES = 20 * 1024 * 1024;
  const DIGEST = createHash("sha256")
    .update("0123456789abcdef".repeat(BYTES / 16))
    .digest("hex");

  test.each([
    ["uncompressed", "zlib"],
    ["uncompressed", "zstd"],
    ["zlib", "uncompressed"],
    ["zlib", "zstd"],
    ["zstd", "zlib"],
    ["zstd", "zstd"],
  ] as const)("passes whole between a client that is %s and a backend that is %s", async (client, backend) => {
    await withTaps(backend, "disabled", async ({ client: tap }) => {
      const to = { port: tap.port, tls: "disabled" as const, account: ACCOUNT };
      const args = [`--compression-algorithms=${client}`, "--max-allowed-packet=64M", "--skip-column-names", "-r"];
      const tee = `SELECT SHA2(REPEAT('0123456789abcdef', ${BYTES / 16}), 256), REPEAT('0123456789abcdef', ${BYTES / 16}), 7; SELECT 1; SELECT 2`;
      const read = await runClientProgram("mysql", to, [...args, "-e", tee]);
      expect(read.error).toBe("");
      const [digest, body, seven, ...rest] = read.out.trimEnd().split(/[\t\n]/);
      expect([digest, seven, rest]).toEqual([DIGEST, "7", ["1", "2"]]);
      expect(
        createHash("sha256")
          .update(body ?? "")
          .digest("hex"),
      ).toBe(DIGEST);
      const written = await runClientProgram(
        "mysql",
        to,
        args,
        `SELECT COUNT(*) FROM shop.texts WHERE SHA2('${"0123456789abcdef".repeat(BYTES / 16)}', 256) = '${DIGEST}'; SELECT 3;\n`,
      );
      expect(written).toEqual({ code: 0, error: "", out: "2\n3\n" });
    });
  });

  test("reaches a client without compression in packets of the right numbers, over results of many rows", async () => {
    await withTaps("zstd", "disabled", async ({ harness }) => {
      const { user, password } = ACCOUNT;
      const endpoint = { name: "proxy", host: "127.0.0.1", port: harness.port, user, password };
      const connection = await Connection.connect(
        { ...endpoint, tls: { mode: "disabled" } },
        { multiStatements: true, deprecateEof: false },
      );
      const many =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT i, REPEAT('n', 100) FROM n";
      const results = await connection.queryMulti(`${many}; SELECT 1; ${many}; DO 0; SELECT 2`);
      expect(results.map(({ rows }) => rows.length)).toEqual([900, 1, 900, 0, 1]);
      await connection.close();
      // MySQL's own client, unlike ours, refuses a packet whose number is not the next.
      const run = await runClientProgram("mysql", { port: harness.port, tls: "disabled", account: ACCOUNT }, [
        "--skip-column-names",
        "--delimiter=//",
        "-e",
        `${many}; SELECT 1; ${many}; DO 0; SELECT 'last'`,
      ]);
      expect(run).toMatchObject({ code: 0, error: "" });
      expect(run.out.trimEnd().split("\n")).toHaveLength(1802);
    });
  });
});

describe.each(WORDS)("behind a proxy whose backend is %s", (backend) => {
  test.each(WORDS)("a file of a client that is %s arrives whole, and what follows it works", async (client) => {
    // More packets than there are numbers, so that these begin again within the file.
    const rows = 60_000;
    const folder = mkdtempSync(join(tmpdir(), "switchyard-compression-"));
    const lines = Array.from({ length: rows }, (_, id) => `${id}\t${`note of row ${id} `.repeat(6)}`);
    writeFileSync(join(folder, "file.tsv"), `${lines.join("\n")}\n`);
    await servers.old.root(
      "CREATE TABLE IF NOT EXISTS shop.loaded (id INT PRIMARY KEY, note VARCHAR(200)); TRUNCATE shop.loaded",
    );
    try {
      await withTaps(backend, "disabled", async (tapped) => {
        const statement = `LOAD DATA LOCAL INFILE '${join(folder, "file.tsv")}' INTO TABLE loaded`;
        const seen = await passing(tapped, () =>
          runClientProgram("mysql", { port: tapped.client.port, tls: "disabled", account: ACCOUNT }, [
            ...[`--compression-algorithms=${client}`, "--local-infile=1", "--skip-column-names", "--delimiter=//"],
            ...[
              "-e",
              `${statement}; SELECT COUNT(*) FROM loaded; DELETE FROM loaded; ${statement}; SELECT 'last'`,
              "shop",
            ],
          ]),
        );
        expect(seen.result).toEqual({ code: 0, error: "", out: `${rows}\nlast\n` });
        const stored = await servers.old.root(
          "SELECT COUNT(*) AS n, SUM(CRC32(CONCAT(id, '\\t', note))) AS crc FROM shop.loaded",
        );
        expect(stored).toEqual([{ n: String(rows), crc: String(lines.reduce((sum, line) => sum + crc32(line), 0)) }]);
        const whole = 2 * (lines.join("\n").length + 1);
        expect([seen.client < whole / 2, seen.server < whole / 2]).toEqual([
          client !== "uncompressed",
          backend !== "uncompressed",
        ]);
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("a session that compresses changes its user, twice, and goes on", async () => {
    for (const server of Object.values(servers)) {
      await server.root(
        "CREATE USER IF NOT EXISTS other@'%' IDENTIFIED BY 'other-1'; GRANT ALL ON shop.* TO other@'%'",
      );
    }
    await withTaps(backend, "disabled", async ({ harness }) => {
      const client = await harness.connect({ compress: true });
      for (const _ of [1, 2]) {
        await client.changeUser({ user: "other", password: "other-1", database: "shop" });
        const [[me]] = await client.query<RowDataPacket[]>("SELECT CURRENT_USER() AS me, REPEAT('x', 100000) AS x");
        expect(me).toEqual({ me: "other@%", x: "x".repeat(100_000) });
        await client.changeUser({ ...ACCOUNT, database: "shop" });
        const [[back]] = await client.query<RowDataPacket[]>("SELECT CURRENT_USER() AS me");
        expect(back).toEqual({ me: `${USER}@%` });
      }
      await client.end();
    });
  });
});

describe("a session that is compressed on both sides", () => {
  test("goes on at the new home after a switch and has lost nothing", async () => {
    const harness = await startHarness(servers, { backendCompression: { algorithms: ["zstd"] } });
    try {
      const client = await harness.connect({ compress: true });
      await client.query("INSERT INTO orders (client, note) VALUES (1, 'before')");
      const writes: Promise<unknown>[] = [];
      for (let n = 0; n < 50; n++)
        writes.push(client.query("INSERT INTO orders (client, note) VALUES (2, ?)", [`n${n}`]));
      await arm(harness);
      await hold(harness);
      await drained(harness);
      for (let n = 50; n < 100; n++)
        writes.push(client.query("INSERT INTO orders (client, note) VALUES (2, ?)", [`n${n}`]));
      await swap(harness);
      await Promise.all(writes);
      await disarm(harness);
      const [status] = await client.query<RowDataPacket[]>("SHOW STATUS LIKE 'Compression_algorithm'");
      expect(status[0]?.["Value"]).toBe("zstd");
      await client.end();
      const notes = await Promise.all(
        [servers.old, servers.new].map((server) =>
          server.root("SELECT note FROM shop.orders WHERE client = 2 ORDER BY id"),
        ),
      );
      expect(notes.flat().map((row) => row["note"])).toEqual(Array.from({ length: 100 }, (_, n) => `n${n}`));
      expect(notes[1]?.length).toBeGreaterThanOrEqual(50);
    } finally {
      await harness.close();
    }
  });

  test("is ended by KILL in the middle of a statement, and others go on", async () => {
    const harness = await startHarness(servers, { backendCompression: { algorithms: ["zlib"] } });
    try {
      const client = await harness.connect({ compress: true });
      const other = await harness.connect({ compress: true });
      const sleeping = client.query("SELECT SLEEP(20)");
      await until(async () =>
        (await servers.old.root("SHOW PROCESSLIST")).some((row) => row["Info"]?.includes("SLEEP(20)")),
      );
      await other.query(`KILL QUERY ${client.threadId}`);
      const [rows] = (await sleeping) as [RowDataPacket[], unknown];
      expect(Object.values(rows[0] ?? {})).toEqual([1]);
      const again = client
        .query("SELECT COUNT(*) FROM texts a, texts b WHERE SLEEP(20)")
        .catch((error: unknown) => error);
      client.on("error", () => undefined);
      await until(async () =>
        (await servers.old.root("SHOW PROCESSLIST")).some((row) => row["Info"]?.includes("SLEEP(20)")),
      );
      await other.query(`KILL ${client.threadId}`).catch(() => undefined);
      expect(await again).toBeInstanceOf(Error);
      expect((await other.query<RowDataPacket[]>("SELECT 1 AS one"))[0]).toEqual([{ one: 1 }]);
      other.destroy();
    } finally {
      await harness.close();
    }
  });
});

describe("what is offered", () => {
  const run = (port: number, algorithms: string): Promise<{ code: number; error: string }> =>
    runClientProgram("mysql", { port, tls: "disabled", account: ACCOUNT }, [
      `--compression-algorithms=${algorithms}`,
      "-e",
      "SELECT 1",
    ]);

  test("is refused to a client as a server refuses it", async () => {
    const harness = await startHarness(servers, { compression: ["zstd"] });
    // Stays open: the server will take nobody else without compression.
    const setting = await Connection.connect(servers.old.endpoint(USER, PASSWORD));
    try {
      await setting.query("SET GLOBAL protocol_compression_algorithms = 'zstd'");
      try {
        for (const algorithms of ["uncompressed", "zlib", "zlib,uncompressed"]) {
          const direct = await run(servers.old.port, algorithms);
          const through = await run(harness.port, algorithms);
          expect(through.error.replaceAll(/ at line.*/g, "")).toBe(direct.error);
          expect(direct.code).toBe(1);
        }
      } finally {
        await setting.query("SET GLOBAL protocol_compression_algorithms = DEFAULT");
        await setting.close();
      }
      expect(await run(harness.port, "zstd")).toMatchObject({ code: 0 });
    } finally {
      await harness.close();
    }
  });
});

describe("a level of zstd", () => {
  const levelOf = async (port: number, zstdLevel: number): Promise<unknown> => {
    const endpoint = { name: "any", host: "127.0.0.1", port, ...ACCOUNT, tls: { mode: "disabled" as const } };
    const connecting = Connection.connect({ ...endpoint, compression: { algorithms: ["zstd"], zstdLevel } });
    return await connecting.then(
      async (connection) => {
        await connection.close();
        return "accepted";
      },
      (error: unknown) => (error instanceof MysqlError ? [error.errno, error.sqlState, error.message] : error),
    );
  };

  test.each([0, 1, 22, 23, 255])("of %s from a client is taken or refused as by a server", async (level) => {
    const harness = await startHarness(servers, { tls: "disabled" });
    try {
      expect(await levelOf(harness.port, level)).toEqual(await levelOf(servers.old.port, level));
    } finally {
      await harness.close();
    }
  });
});

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("it never came to that");
}
