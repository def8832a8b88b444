import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import type { CompressionWord } from "../../../src/mysql/compression-choice.ts";
import { Connection } from "../../../src/mysql/connection.ts";
import type { Endpoint } from "../../../src/mysql/endpoint.ts";
import { printGrants } from "../../../src/preflight/grants.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { startRelay, type TcpRelay } from "../proxy/tcp-relay.ts";

let servers: Record<"any" | "zlib" | "none", TestServer>;
let relay: TcpRelay;

const ACCOUNT = ["compressing", "compressing-secret"] as const;
const ALGORITHMS: readonly CompressionWord[] = ["zlib", "zstd"];

beforeAll(async () => {
  servers = await startServers(["any", "zlib", "none"], {
    args: ["--max-allowed-packet=128M", "--local-infile=1", "--net-write-timeout=600"],
    argsOf: {
      zlib: ["--protocol-compression-algorithms=zlib,uncompressed"],
      none: ["--protocol-compression-algorithms=uncompressed"],
    },
  });
  for (const server of Object.values(servers)) {
    await server.root(`
      CREATE DATABASE t; CREATE TABLE t.x (id INT PRIMARY KEY, body LONGTEXT);
      CREATE USER '${ACCOUNT[0]}' IDENTIFIED BY '${ACCOUNT[1]}'; GRANT ALL ON t.* TO '${ACCOUNT[0]}'`);
    await server.root(printGrants("source-reader", { user: ACCOUNT[0], host: "%", schemas: ["t"] }).join("\n"));
  }
  relay = await startRelay(servers.any);
});
afterAll(async () => {
  await relay?.close();
  await stopServers(servers);
});

function endpoint(algorithms: readonly CompressionWord[], mode: Endpoint["tls"]["mode"] = "disabled"): Endpoint {
  return { ...servers.any.endpoint(...ACCOUNT), port: relay.port, tls: { mode }, compression: { algorithms } };
}

async function using<T>(target: Endpoint, work: (connection: Connection) => Promise<T>, options = {}): Promise<T> {
  const connection = await Connection.connect(target, options);
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

/** What the server says of a connection, and the bytes that pass while `work` runs. */
async function serverSays(connection: Connection): Promise<Record<string, string | null>> {
  const rows = await connection.rows("SHOW SESSION STATUS LIKE 'Compression%'");
  return Object.fromEntries(rows.map((row) => [row["Variable_name"] ?? "", row["Value"] ?? null]));
}

describe.each(ALGORITHMS)("a connection with %s", (algorithm) => {
  test.each(["disabled", "required"] as const)("is compressed for the server too, TLS %s", async (mode) => {
    await using(endpoint([algorithm], mode), async (connection) => {
      expect(connection.compression).toBe(algorithm);
      expect(connection.tls).toBe(mode === "required");
      const before = { ...relay.passed };
      expect(await serverSays(connection)).toMatchObject({ Compression: "ON", Compression_algorithm: algorithm });
      const text = "z".repeat(300_000);
      const row = await connection.one(`SELECT LENGTH('${text}') AS n, REPEAT('y', 400000) AS y`);
      expect(row).toEqual({ n: "300000", y: "y".repeat(400_000) });
      expect(relay.passed.near - before.near).toBeLessThan(20_000);
      expect(relay.passed.far - before.far).toBeLessThan(20_000);
    });
  });

  test("brings rows beyond 16 MiB whole, of bytes that shrink and of bytes that do not", async () => {
    const bytes = 40 * 1024 * 1024 + 7;
    await using(endpoint([algorithm]), async (connection) => {
      const digest = `SELECT SHA2(@body, 256) AS digest`;
      await connection.query(`SET @body = REPEAT('0123456789abcdef', ${Math.ceil(bytes / 16)})`);
      const { rows } = await connection.query("SELECT @body, RANDOM_BYTES(1024)");
      const [body] = rows[0] ?? [];
      expect(body?.length).toBeGreaterThan(bytes);
      expect((await connection.one(digest))?.["digest"]).toBe(sha256(body ?? Buffer.alloc(0)));
      await connection.query("SET @noise = RANDOM_BYTES(1024)");
      for (let doubled = 0; doubled < 14; doubled++) {
        await connection.query("SET @noise = CONCAT(@noise, AES_ENCRYPT(@noise, RANDOM_BYTES(16)))");
      }
      const noise = (await connection.query("SELECT @noise, SHA2(@noise, 256)")).rows[0] ?? [];
      expect(noise[0]?.length).toBeGreaterThan(16 * 1024 * 1024);
      expect(sha256(noise[0] ?? Buffer.alloc(0))).toBe(noise[1]?.toString());
    });
  });

  test("sends a statement beyond 16 MiB, and several without waiting, and answers come in order", async () => {
    await using(endpoint([algorithm]), async (connection) => {
      const large = "a".repeat(20_000_000);
      const answers = [1, 2, 3].map((n) => connection.one(`SELECT ${n} AS n`));
      answers.push(connection.one(`SELECT LENGTH('${large}') AS n`), connection.one("SELECT 5 AS n"));
      expect((await Promise.all(answers)).map((row) => row?.["n"])).toEqual(["1", "2", "3", "20000000", "5"]);
    });
  });

  test("streams rows and loads a file, with back-pressure from both", async () => {
    const rows = 2000;
    const line = (id: number): string => `${id}\t${sha256(Buffer.from(String(id))).repeat(60)}\n`;
    async function* file(): AsyncGenerator<Buffer> {
      for (let id = 0; id < rows; id++) yield Buffer.from(line(id));
    }
    await servers.any.root("TRUNCATE t.x");
    await using(
      endpoint([algorithm]),
      async (connection) => {
        const loaded = await connection.loadLocal("LOAD DATA LOCAL INFILE 'x' INTO TABLE t.x", file());
        expect(loaded.affectedRows).toBe(rows);
        expect(await connection.one("SELECT 1 AS still")).toEqual({ still: "1" });
        let segments = 0;
        let seen = 0;
        const sink = {
          columns: () => undefined,
          segment: async (_bytes: Buffer, count: number): Promise<void> => {
            segments += 1;
            seen += count;
            await new Promise((resolve) => setImmediate(resolve));
          },
        };
        await connection.streamSegments("SELECT * FROM t.x ORDER BY id", sink);
        expect(seen).toBe(rows);
        expect(segments).toBeGreaterThan(10);
      },
      { localInfile: true },
    );
    const [stored] = await servers.any.root("SELECT SUM(CRC32(CONCAT(id, '\\t', body, '\\n'))) AS crc FROM t.x");
    const { crc32 } = await import("node:zlib");
    const expected = Array.from({ length: rows }, (_, id) => crc32(line(id))).reduce((sum, crc) => sum + crc, 0);
    expect(stored).toEqual({ crc: String(expected) });
  });

  test("follows the binary log, with an event beyond 16 MiB in it", async () => {
    const [before] = await servers.any.root("SELECT @@global.gtid_executed g");
    await servers.any.root(
      "TRUNCATE t.x; INSERT INTO t.x VALUES (1, REPEAT('x', 20000000)); INSERT INTO t.x VALUES (2, 'b')",
    );
    const connection = await Connection.connect(endpoint([algorithm]));
    const sizes: number[] = [];
    const passed = relay.passed.far;
    const request = {
      serverId: 4_000_001,
      executed: GtidSet.parse(before?.["g"] ?? "").encodeBinary(),
      heartbeatMs: 1000,
      replicaUuid: "11111111-2222-3333-4444-555555555555",
    };
    await connection.binlogDump(request, (event) => {
      if (event[4] === 30 && sizes.push(event.length) === 2) void connection.close();
    });
    expect(sizes[0]).toBeGreaterThan(20_000_000);
    expect(sizes[1]).toBeLessThan(100);
    expect(relay.passed.far - passed).toBeLessThan(1_000_000);
  });

  test("that is cut in a long reply says that the statement had been sent", async () => {
    const connection = await Connection.connect(endpoint([algorithm]));
    const waiting = connection.query("SELECT SLEEP(20)");
    setTimeout(() => relay.cut(), 100);
    await expect(waiting).rejects.toMatchObject({ code: "MYSQL_CONNECTION_LOST", sent: true });
  });
});

describe("which compression a connection has", () => {
  const of = (server: TestServer, algorithms: readonly CompressionWord[]): Endpoint => ({
    ...server.endpoint(...ACCOUNT),
    compression: { algorithms },
  });

  test.each([
    ["any", ["zstd", "zlib"], "zstd"],
    ["any", ["zlib", "zstd"], "zlib"],
    ["any", ["uncompressed", "zlib"], "uncompressed"],
    ["zlib", ["zstd", "zlib", "uncompressed"], "zlib"],
    ["none", ["zstd", "zlib", "uncompressed"], "uncompressed"],
  ] as const)("to a server with %s, of the list %j, is %s", async (name, algorithms, expected) => {
    await using(of(servers[name], algorithms), async (connection) => {
      expect(connection.compression).toBe(expected);
      const status = await serverSays(connection);
      expect(status["Compression_algorithm"]).toBe(expected === "uncompressed" ? "" : expected);
    });
  });

  test("is refused before the password goes out where the server offers none of the list", async () => {
    const refused = Connection.connect(of(servers.zlib, ["zstd"]));
    await expect(refused).rejects.toMatchObject({ code: "MYSQL_COMPRESSION_UNAVAILABLE" });
  });

  test("of zstd has the level of the configuration", async () => {
    const target = { ...of(servers.any, ["zstd"]), compression: { algorithms: ["zstd" as const], zstdLevel: 11 } };
    await using(target, async (connection) => {
      expect((await serverSays(connection))["Compression_level"]).toBe("11");
    });
  });
});

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
