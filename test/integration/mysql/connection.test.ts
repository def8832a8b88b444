import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Connection } from "../../../src/mysql/connection.ts";
import type { Endpoint } from "../../../src/mysql/endpoint.ts";
import { printGrants } from "../../../src/preflight/grants.ts";
import { buildErr } from "../../../src/wire/err-packet.ts";
import { buildGreeting } from "../../../src/wire/greeting.ts";
import { buildOk } from "../../../src/wire/ok-packet.ts";
import { frame } from "../../../src/wire/packet-writer.ts";
import { TextRow } from "../../../src/wire/text-row.ts";
import { FaultyLink } from "../../support/faulty-link.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";

let servers: { a: TestServer };
let endpoint: Endpoint;

beforeAll(async () => {
  servers = await startServers(["a"], { args: ["--max-allowed-packet=64M"] });
  await servers.a.root(`
    CREATE DATABASE t;
    CREATE USER fast IDENTIFIED WITH caching_sha2_password BY 'pässword';
    CREATE USER slow IDENTIFIED WITH sha256_password BY 'secret';
    CREATE USER nobody IDENTIFIED BY ''`);
  for (const user of ["fast", "slow", "nobody"]) {
    await servers.a.root(printGrants("target-writer", { user, host: "%", schemas: ["t"] }).join("\n"));
  }
  endpoint = servers.a.endpoint("fast", "pässword");
});
afterAll(() => stopServers(servers));

async function using<T>(target: Endpoint, work: (connection: Connection) => Promise<T>, options = {}): Promise<T> {
  const connection = await Connection.connect(target, options);
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

describe("logging in", () => {
  const methods: [user: string, password: string, mode: Endpoint["tls"]["mode"]][] = [
    ["fast", "pässword", "required"],
    ["fast", "pässword", "disabled"],
    ["slow", "secret", "required"],
    ["slow", "secret", "disabled"],
    ["nobody", "", "preferred"],
    ["nobody", "", "disabled"],
  ];

  test.each(methods)(
    "as %s with password %s, TLS %s, with a cold and then a warm cache",
    async (user, password, mode) => {
      await servers.a.root("FLUSH PRIVILEGES");
      for (const _ of [1, 2]) {
        await using({ ...servers.a.endpoint(user, password), tls: { mode } }, async (connection) => {
          expect(connection.tls).toBe(mode !== "disabled");
          const row = await connection.one("SELECT USER() u, CONNECTION_ID() id, VERSION() v");
          expect(row?.["u"]).toMatch(new RegExp(`^${user}@`));
          expect(row?.["id"]).toBe(String(connection.threadId));
          expect(row?.["v"]).toBe(connection.serverVersion);
        });
      }
    },
  );

  test("with a wrong password says so, and does not show it", async () => {
    const wrong = Connection.connect({ ...endpoint, password: "wr0ng" });
    await expect(wrong).rejects.toMatchObject({ code: "MYSQL_ACCESS_DENIED", errno: 1045 });
    await expect(wrong).rejects.not.toThrow(/wr0ng/);
  });

  test("where nothing listens, or nobody answers, says so", async () => {
    const silent = createServer();
    silent.listen(0, "127.0.0.1");
    await once(silent, "listening");
    const address = silent.address() as { port: number };
    const waiting = Connection.connect({ ...endpoint, port: address.port }, { connectTimeoutMs: 200 });
    await expect(waiting).rejects.toMatchObject({ code: "MYSQL_UNREACHABLE" });
    silent.close();
    await expect(Connection.connect({ ...endpoint, port: 1 })).rejects.toMatchObject({ code: "MYSQL_UNREACHABLE" });
  });

  test("can be given up", async () => {
    const silent = createServer();
    silent.listen(0, "127.0.0.1");
    await once(silent, "listening");
    const signal = AbortSignal.timeout(50);
    const waiting = Connection.connect({ ...endpoint, port: (silent.address() as { port: number }).port }, { signal });
    await expect(waiting).rejects.toMatchObject({ code: "CANCELLED" });
    silent.close();
  });

  test("with a certificate that does not verify ends before the password is sent", async () => {
    const verified = Connection.connect({ ...endpoint, tls: { mode: "verify_ca" } });
    await expect(verified).rejects.toMatchObject({ code: "MYSQL_TLS_FAILED" });
  });

  test("verifies who signed the certificate, and whom it names, when told", async () => {
    const ca = (await import("node:fs")).readFileSync(`${servers.a.datadir}/ca.pem`, "utf8");
    await using({ ...endpoint, tls: { mode: "verify_ca", ca } }, async (connection) => {
      expect(connection.tls).toBe(true);
    });
    // The certificate that mysqld makes for itself names no host.
    const named = Connection.connect({ ...endpoint, tls: { mode: "verify_identity", ca } });
    await expect(named).rejects.toMatchObject({ code: "MYSQL_TLS_FAILED" });
  });

  test("tells its attributes and the schema", async () => {
    const options = { database: "t", attributes: { switchyard_proxy: "boot-1" } };
    await using(
      endpoint,
      async (connection) => {
        const attributes = await connection.rows(
          "SELECT ATTR_NAME n, ATTR_VALUE v FROM performance_schema.session_account_connect_attrs WHERE PROCESSLIST_ID = CONNECTION_ID()",
        );
        expect(attributes).toContainEqual({ n: "switchyard_proxy", v: "boot-1" });
        expect(await connection.one("SELECT DATABASE() d")).toEqual({ d: "t" });
      },
      options,
    );
  });
});

describe("statements", () => {
  test("run and answer in order when sent without waiting", async () => {
    await using(endpoint, async (connection) => {
      const answers = await Promise.allSettled(
        Array.from({ length: 200 }, (_, index) =>
          index % 7 === 3 ? connection.rows("SELECT no_such_column") : connection.rows(`SELECT ${index} n`),
        ),
      );
      for (const [index, answer] of answers.entries()) {
        if (index % 7 === 3) expect(answer).toMatchObject({ status: "rejected", reason: { errno: 1054 } });
        else expect(answer).toMatchObject({ status: "fulfilled", value: [{ n: String(index) }] });
      }
    });
  });

  test.each([true, false])(
    "give several results, and those before one that fails (DEPRECATE_EOF %s)",
    async (deprecateEof) => {
      await using(
        endpoint,
        async (connection) => {
          const results = await connection.queryMulti(
            "SELECT 1 UNION SELECT NULL; SET @a = 1; SELECT '' x, REPEAT('y', 70000) y",
          );
          expect(results.map((result) => result.rows.map((row) => row.map((field) => field?.length ?? null)))).toEqual([
            [[1], [null]],
            [],
            [[0, 70000]],
          ]);
          const failing = connection.queryMulti("SELECT 1; SELECT nope; SELECT 3");
          await expect(failing).rejects.toMatchObject({ errno: 1054, results: [{ rows: [[Buffer.from("1")]] }] });
          await connection.ping();
        },
        { multiStatements: true, deprecateEof },
      );
    },
  );

  test("tell affected rows, ids, warnings and the transaction's state", async () => {
    await using(endpoint, async (connection) => {
      await connection.query("CREATE TABLE t.ids (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, v INT)");
      const insert = await connection.query("INSERT INTO t.ids VALUES (18446744073709551610, 1)");
      expect(insert).toMatchObject({ affectedRows: 1, lastInsertId: 18446744073709551610n, warnings: 0 });
      const cut = await connection.query("INSERT IGNORE INTO t.ids (id, v) VALUES (3, 'x')");
      expect(cut.warnings).toBe(1);
      await connection.query("BEGIN");
      await connection.query("UPDATE t.ids SET v = 9");
      expect(connection.inTransaction).toBe(true);
      await connection.query("ROLLBACK");
      expect(connection.inTransaction).toBe(false);
    });
  });

  test("of 20 MB, in and out, pass whole", async () => {
    await using(endpoint, async (connection) => {
      const text = Buffer.alloc(20_000_000, "0123456789abcdef");
      const result = await connection.query(
        Buffer.concat([Buffer.from("SELECT '"), text, Buffer.from("' big, 7 small")]),
      );
      expect(result.rows[0]?.[0]?.equals(text)).toBe(true);
      expect(result.rows[0]?.[1]?.toString()).toBe("7");
      const exact = 0xffffff - 4;
      const edge = await connection.rows(`SELECT LENGTH(REPEAT('z', ${exact})) l`);
      expect(edge).toEqual([{ l: String(exact) }]);
      for (const length of [exact - 1, exact, exact + 1]) {
        const { rows } = await connection.query(`SELECT REPEAT('z', ${length})`);
        expect(rows[0]?.[0]?.length).toBe(length);
      }
    });
  });
});

describe("a streamed result", () => {
  const sql = (rows: number): string =>
    `WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < ${rows})
     SELECT /*+ SET_VAR(cte_max_recursion_depth = 1000000) */ n, REPEAT(CHAR(n % 256), n % 300), IF(n % 5, 'x', NULL) FROM s`;

  test("keeps the server waiting while the sink is busy, and arrives whole", async () => {
    await using(endpoint, async (connection) => {
      let rows = 0;
      let busy = false;
      const row = new TextRow(3);
      await connection.stream(sql(20_000), {
        columns: (columns) => expect(columns).toHaveLength(3),
        row: (payload) => {
          expect(busy).toBe(false);
          rows += 1;
          expect(row.scan(payload).text(0)).toBe(String(rows));
          if (rows % 1000 !== 0) return undefined;
          busy = true;
          return sleep(5).then(() => {
            busy = false;
          });
        },
      });
      expect(rows).toBe(20_000);
    });
  });

  test("comes in segments as the same bytes, rows of more than 16 MiB and none at all included", async () => {
    await using(endpoint, async (connection) => {
      for (const [text, expected] of [
        [sql(20_000), 20_000],
        ["SELECT 1 FROM DUAL WHERE FALSE", 0],
        [
          "SELECT REPEAT('a', 17000000) UNION ALL SELECT 'b' UNION ALL SELECT REPEAT('c', 16777211) UNION ALL SELECT REPEAT('d', 40000000)",
          4,
        ],
      ] as const) {
        const packets: Buffer[] = [];
        await connection.stream(text, {
          columns: () => undefined,
          row: (payload) => {
            packets.push(Buffer.from(payload));
          },
        });
        const segments: Buffer[] = [];
        let rows = 0;
        let columns = 0;
        await connection.streamSegments(text, {
          columns: (definitions) => {
            columns = definitions.length;
          },
          segment: (bytes, count) => {
            segments.push(bytes);
            rows += count;
            return rows % 3 === 0 ? sleep(1) : undefined;
          },
        });
        expect(rows).toBe(expected);
        let sequence = columns + 2;
        const framed = packets.map((payload) => {
          const bytes = frame(payload, sequence);
          sequence += Math.floor(payload.length / 0xffffff) + 1;
          return bytes;
        });
        expect(Buffer.concat(segments).equals(Buffer.concat(framed))).toBe(true);
        expect(await connection.rows("SELECT 1 one")).toEqual([{ one: "1" }]);
      }
    });
  });

  test("that the sink gives up ends the connection and rejects with what the sink threw", async () => {
    const connection = await Connection.connect(endpoint);
    const failing = connection.stream(sql(20_000), {
      columns: () => undefined,
      row: () => {
        throw new RangeError("full");
      },
    });
    const behind = connection.query("SELECT 1");
    await expect(failing).rejects.toThrow(RangeError);
    await expect(behind).rejects.toMatchObject({ code: "MYSQL_CONNECTION_LOST", sent: true });
    expect(await connection.closed).toBe("full");
  });

  test("that the server breaks off rejects with its error, and the connection lives", async () => {
    await using(endpoint, async (connection) => {
      const late =
        "SELECT n, IF(n = 500, (SELECT 1 UNION SELECT 2), 0) FROM (WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 900) SELECT n FROM s) x";
      const rows = connection.stream(late, { columns: () => undefined, row: () => undefined });
      await expect(rows).rejects.toMatchObject({ code: "MYSQL_SERVER_ERROR", errno: 1242 });
      const segments = connection.streamSegments(late, { columns: () => undefined, segment: () => undefined });
      await expect(segments).rejects.toMatchObject({ code: "MYSQL_SERVER_ERROR", errno: 1242 });
      await connection.ping();
    });
  });
});

describe("a connection that ends", () => {
  test("by KILL rejects what was sent as unknown, and what comes later as not sent", async () => {
    const connection = await Connection.connect(endpoint);
    const sleeping = connection.query("SELECT SLEEP(30)");
    await sleep(100);
    await servers.a.root(`KILL ${connection.threadId}`);
    await expect(sleeping).rejects.toMatchObject({
      code: expect.stringMatching(/MYSQL_CONNECTION_LOST|MYSQL_SERVER_ERROR/),
    });
    await connection.closed;
    await expect(connection.query("SELECT 1")).rejects.toMatchObject({ code: "MYSQL_CONNECTION_LOST", sent: false });
    await connection.close();
  });

  test("by KILL QUERY only loses the statement", async () => {
    await using(endpoint, async (connection) => {
      const sleeping = connection.query("SELECT id FROM t.killed, (SELECT SLEEP(30)) s");
      await expect(sleeping).rejects.toMatchObject({ errno: 1146 });
      const other = connection.query("DO SLEEP(30)");
      await sleep(100);
      await servers.a.root(`KILL QUERY ${connection.threadId}`);
      await Promise.allSettled([other]);
      await connection.ping();
    });
  });

  test("because the server idles it out tells what the server said", async () => {
    const connection = await Connection.connect(endpoint);
    await connection.query("SET wait_timeout = 1");
    expect(await connection.closed).toMatch(/inactivity|closed/);
  });

  test("because the server restarts is noticed by every connection, and the process lives", async () => {
    const connections = await Promise.all(Array.from({ length: 5 }, () => Connection.connect(endpoint)));
    const sleeping = connections.map((connection) => connection.query("SELECT SLEEP(60)"));
    const settled = Promise.allSettled(sleeping);
    await servers.a.kill9();
    expect((await settled).map((outcome) => outcome.status)).toEqual(Array(5).fill("rejected"));
    for (const connection of connections) expect(connection.isClosed).toBe(true);
    await servers.a.restart();
    endpoint = servers.a.endpoint("fast", "pässword");
    await using(endpoint, (connection) => connection.ping());
  });
});

describe("LOAD DATA LOCAL", () => {
  async function* lines(count: number): AsyncGenerator<Buffer> {
    for (let row = 0; row < count; row += 1000) {
      const text = Array.from(
        { length: Math.min(1000, count - row) },
        (_, index) => `${row + index}\tname ${row + index}\n`,
      );
      yield Buffer.from(text.join(""));
    }
  }

  test("of 100,000 rows stores them all", async () => {
    await using(
      endpoint,
      async (connection) => {
        await connection.query("CREATE TABLE t.loaded (id INT PRIMARY KEY, name VARCHAR(40))");
        const result = await connection.loadLocal("LOAD DATA LOCAL INFILE 'x' INTO TABLE t.loaded", lines(100_000));
        expect(result).toMatchObject({ affectedRows: 100_000, warnings: 0 });
        const sums = await connection.one("SELECT COUNT(*) c, SUM(id) s, COUNT(DISTINCT name) n FROM t.loaded");
        expect(sums).toEqual({ c: "100000", s: "4999950000", n: "100000" });
      },
      { localInfile: true },
    );
  });

  test("with a chunk of 40 MB and one row larger than 16 MiB", async () => {
    await using(
      endpoint,
      async (connection) => {
        await connection.query("CREATE TABLE t.big (id INT PRIMARY KEY, body LONGTEXT)");
        async function* one(): AsyncGenerator<Buffer> {
          yield Buffer.concat([Buffer.from("1\t"), Buffer.alloc(40_000_000, "q"), Buffer.from("\n2\tsmall\n")]);
        }
        const result = await connection.loadLocal("LOAD DATA LOCAL INFILE 'x' INTO TABLE t.big", one());
        expect(result.affectedRows).toBe(2);
        expect(await connection.one("SELECT LENGTH(body) l FROM t.big WHERE id = 1")).toEqual({ l: "40000000" });
      },
      { localInfile: true },
    );
  });

  test("whose source fails stores nothing, and says why", async () => {
    const connection = await Connection.connect(endpoint, { localInfile: true });
    await connection.query("CREATE TABLE t.half (id INT PRIMARY KEY)");
    await connection.query("BEGIN");
    async function* broken(): AsyncGenerator<Buffer> {
      yield Buffer.from("1\n2\n");
      throw new RangeError("source went away");
    }
    await expect(connection.loadLocal("LOAD DATA LOCAL INFILE 'x' INTO TABLE t.half", broken())).rejects.toThrow(
      RangeError,
    );
    expect(connection.isClosed).toBe(true);
    expect(await servers.a.root("SELECT COUNT(*) c FROM t.half FOR SHARE")).toEqual([{ c: "0" }]);
  });

  test("that was not asked for is refused on a connection that could, and on one that could not", async () => {
    for (const localInfile of [true, false]) {
      const connection = await Connection.connect(endpoint, { localInfile });
      const refused = connection.query("LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t.ids");
      const code = localInfile ? "MYSQL_LOCAL_INFILE_REFUSED" : "MYSQL_SERVER_ERROR";
      await expect(refused).rejects.toMatchObject({ code });
      await connection.close();
    }
  });
});

describe("a connection that something in between has forgotten", () => {
  const QUIET_MS = 100;
  let link: FaultyLink;
  const forgotten = () =>
    Connection.connect(
      { ...endpoint, port: link.port, tls: { mode: "disabled" } },
      { attributes: { switchyard_reader: "x" }, answerQuietMs: QUIET_MS, localInfile: true },
    );
  beforeAll(async () => {
    link = await FaultyLink.start(() => servers.a.port);
    await servers.a.root("CREATE TABLE t.forgotten (line TEXT)");
  });
  afterAll(() => link.close());

  const many =
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT REPEAT('x', 100000) FROM n";
  async function* lines(): AsyncGenerator<Buffer> {
    for (let sent = 0; sent < 500; sent += 1) {
      if (sent === 20) link.strand();
      yield Buffer.from(`${"y".repeat(60_000)}\n`);
    }
  }
  test.each<[what: string, work: (connection: Connection) => Promise<unknown>]>([
    ["a statement that the server never got", (connection) => connection.query("SELECT 1")],
    [
      "rows that are stuck on the way",
      (connection) => connection.stream(many, { columns: () => void link.strand(), row: () => undefined }),
    ],
    [
      "a file that is stuck on the way",
      (connection) => connection.loadLocal("LOAD DATA LOCAL INFILE 'x' INTO TABLE t.forgotten", lines()),
    ],
  ])("is not waited for: %s", async (what, work) => {
    const connection = await forgotten();
    if (what.startsWith("a statement")) link.strand();
    await expect(work(connection)).rejects.toMatchObject({ code: "MYSQL_CONNECTION_LOST" });
    await connection.closed;
  });

  test("a statement that takes long is waited for, and what is done with rows may take long too", async () => {
    const connection = await forgotten();
    await connection.query(`SELECT SLEEP(${(QUIET_MS * 5) / 1000})`);
    await connection.stream("SELECT 1 UNION SELECT 2", { columns: () => undefined, row: () => sleep(QUIET_MS * 3) });
    expect(connection.isClosed).toBe(false);
    await connection.close();
  });
});

describe("a hostile server", () => {
  let hostile: Server;
  let received: Buffer[];

  /** Greets, lets anybody in, then answers every packet of the client with `answer`. */
  async function serve(answer: Buffer, greeting?: Buffer): Promise<Endpoint> {
    received = [];
    hostile = createServer((socket) => {
      let packets = 0;
      socket.on("error", () => undefined);
      const hello = buildGreeting({
        serverVersion: "9.7.4",
        threadId: 1,
        nonce: Buffer.alloc(20, "n"),
        capabilities: 0xdfffffff & ~0x800,
        collation: 45,
        status: 2,
        authPlugin: "caching_sha2_password",
      });
      socket.write(greeting ?? frame(hello, 0));
      socket.on("data", (bytes: Buffer) => {
        received.push(bytes);
        packets += 1;
        const ok = { affectedRows: 0, lastInsertId: 0n, status: 2, warnings: 0, info: Buffer.alloc(0), tracks: [] };
        socket.write(packets === 1 ? frame(buildOk(ok, 0), 2) : answer);
      });
    });
    hostile.listen(0, "127.0.0.1");
    await once(hostile, "listening");
    return { ...endpoint, port: (hostile.address() as { port: number }).port, tls: { mode: "preferred" } };
  }

  test("that asks for /etc/passwd gets nothing", async () => {
    const target = await serve(frame(Buffer.from("\xfb/etc/passwd", "latin1"), 1));
    const connection = await Connection.connect(target, { localInfile: true });
    await expect(connection.query("SELECT 1")).rejects.toMatchObject({ code: "MYSQL_LOCAL_INFILE_REFUSED" });
    await sleep(50);
    expect(received).toHaveLength(2);
    expect(received[1]?.toString("latin1")).toContain("SELECT 1");
    hostile.close();
  });

  test.each<[string, Buffer]>([
    ["a column count that never ends", frame(Buffer.from([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]), 1)],
    ["garbage", Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n")],
    ["an OK that is cut off", frame(Buffer.from([0, 0]), 1)],
    ["a row that does not fit", Buffer.concat([frame(Buffer.from([1]), 1), frame(Buffer.from([9, 9]), 2)])],
    [
      "two answers to one question",
      Buffer.concat([
        frame(buildErr({ errno: 1, sqlState: "HY000", message: "a" }), 1),
        frame(Buffer.from([0, 0, 0, 2, 0, 0, 0]), 1),
      ]),
    ],
  ])("that sends %s ends the connection, not the process", async (_what, answer) => {
    const connection = await Connection.connect(await serve(answer));
    const asked = connection.query("SELECT 1");
    asked.catch(() => undefined);
    await sleep(50);
    connection.destroy();
    await expect(asked).rejects.toThrow();
    hostile.close();
  });

  test.each<[string, Buffer]>([
    ["garbage", Buffer.from("SSH-2.0-OpenSSH_9.2\r\n")],
    ["another protocol version", frame(Buffer.from([9, 0]), 0)],
    ["that it has too many connections", frame(Buffer.from("\xff\x10\x04Too many connections", "latin1"), 0)],
  ])("that greets with %s is reported", async (_what, greeting) => {
    await expect(
      Connection.connect(await serve(Buffer.alloc(0), greeting), { connectTimeoutMs: 500 }),
    ).rejects.toMatchObject({
      code: expect.stringMatching(/^(WIRE_MALFORMED|MYSQL_SERVER_ERROR|MYSQL_UNREACHABLE)$/),
    });
    hostile.close();
  });

  test("that wants the password in clear text does not get it", async () => {
    const ask = frame(Buffer.from("\xfemysql_clear_password\0", "latin1"), 2);
    hostile = createServer((socket) => {
      socket.on("error", () => undefined);
      const greeting = { serverVersion: "9.7.4", threadId: 1, nonce: Buffer.alloc(20, "n"), collation: 45, status: 2 };
      socket.write(
        frame(
          buildGreeting({ ...greeting, capabilities: 0xdfffffff & ~0x800, authPlugin: "caching_sha2_password" }),
          0,
        ),
      );
      socket.on("data", (bytes: Buffer) => {
        received.push(bytes);
        socket.write(ask);
      });
    });
    received = [];
    hostile.listen(0, "127.0.0.1");
    await once(hostile, "listening");
    const target = { ...endpoint, port: (hostile.address() as { port: number }).port };
    await expect(Connection.connect(target)).rejects.toMatchObject({ code: "MYSQL_AUTH_METHOD_UNKNOWN" });
    await sleep(50);
    expect(Buffer.concat(received).includes(Buffer.from(endpoint.password))).toBe(false);
    hostile.close();
  });
});
