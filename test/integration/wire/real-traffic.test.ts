import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import mysql from "mysql2/promise";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { login } from "../../../src/mysql/login.ts";
import { PacketLink } from "../../../src/mysql/packet-link.ts";
import { CAP, COM, hasFlag, STATUS } from "../../../src/wire/capabilities.ts";
import { buildErr, parseErr } from "../../../src/wire/err-packet.ts";
import { buildGreeting, parseGreeting } from "../../../src/wire/greeting.ts";
import { buildHandshakeResponse, parseHandshakeResponse } from "../../../src/wire/handshake-response.ts";
import { buildOk, parseOk } from "../../../src/wire/ok-packet.ts";
import { PacketSplitter } from "../../../src/wire/packet-splitter.ts";
import { PacketWalker } from "../../../src/wire/packet-walker.ts";
import { statementOffset } from "../../../src/wire/query-attributes.ts";
import { ReplyTracker } from "../../../src/wire/reply-tracker.ts";
import { mysqlTool, startServers, stopServers, type TestServer } from "../../support/servers.ts";

/**
 * Clients and a server that are not ours talk through a relay that listens with our codec: what it believes is
 * compared with what they do.
 */
class Listener {
  readonly commands: number[] = [];
  readonly events: string[] = [];
  readonly statements: string[] = [];
  readonly defects: string[] = [];
  rows = 0;
  capabilities = 0;
  readonly #fromClient = new PacketSplitter(2 ** 30);
  readonly #fromServer = new PacketSplitter(2 ** 30);
  readonly #walker = new PacketWalker();
  readonly #pieceBytes: number;
  #serverCapabilities = 0;
  tracker: ReplyTracker | undefined;
  #changingUser = false;

  constructor(pieceBytes: number) {
    this.#pieceBytes = pieceBytes;
  }

  get complete(): boolean {
    return this.tracker?.complete ?? false;
  }

  client(chunk: Buffer): void {
    this.#fromClient.push(chunk, (payload, sequence) => this.#clientPacket(payload, sequence));
  }

  #clientPacket(payload: Buffer, sequence: number): void {
    if (this.capabilities === 0) {
      const response = parseHandshakeResponse(payload);
      this.capabilities = (response.capabilities & this.#serverCapabilities) >>> 0;
      if (!buildHandshakeResponse(response).equals(payload)) this.defects.push("handshake response differs");
      return;
    }
    if (this.tracker === undefined || sequence > 0) return;
    const command = payload[0] ?? -1;
    if (!this.tracker.complete) this.defects.push(`command ${command} while a reply was believed to be owed`);
    this.rows += this.tracker.rows;
    this.commands.push(command);
    if (command === COM.QUERY) {
      this.statements.push(payload.toString("utf8", statementOffset(payload, this.capabilities)).trim());
    }
    this.#changingUser = command === COM.CHANGE_USER;
    this.tracker.start(command);
  }

  server(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; at += this.#pieceBytes) {
      const piece = Buffer.from(chunk.subarray(at, at + this.#pieceBytes));
      if (this.tracker === undefined) this.#fromServer.push(piece, (payload) => this.#loginPacket(payload));
      else this.#walk(piece);
    }
  }

  #loginPacket(payload: Buffer): void {
    if (this.#serverCapabilities === 0) {
      const greeting = parseGreeting(payload);
      this.#serverCapabilities = greeting.capabilities;
      if (!buildGreeting(greeting).equals(payload)) this.defects.push("greeting differs");
    } else if (payload[0] === 0x00) {
      this.tracker = new ReplyTracker(this.capabilities);
    }
  }

  #walk(piece: Buffer): void {
    const tracker = this.tracker as ReplyTracker;
    this.#walker.walk(piece, 0, piece.length, {
      head: (length, _sequence, firstByte) => tracker.wants(length, firstByte),
      payload: (payload) => {
        const event = tracker.take(payload);
        this.events.push(event);
        this.#rebuild(event, payload);
        return false;
      },
    });
  }

  /** What we would have sent in the server's place. */
  #rebuild(event: string, payload: Buffer): void {
    const end = event === "eof" && hasFlag(this.capabilities, CAP.DEPRECATE_EOF);
    if (event === "error" && !buildErr(parseErr(payload)).equals(payload)) this.defects.push("ERR differs");
    if (event !== "ok" && !end) return;
    const rebuilt = buildOk(parseOk(payload, this.capabilities), this.capabilities, end ? 0xfe : 0x00);
    if (!rebuilt.equals(payload) && !this.#changingUser) {
      this.defects.push(`OK differs: ${payload.toString("hex")} ${rebuilt.toString("hex")}`);
    }
  }
}

let servers: { a: TestServer };
const relays: Server[] = [];

beforeAll(async () => {
  servers = await startServers(["a"]);
  await servers.a.root(`
    CREATE DATABASE t; USE t;
    CREATE USER app IDENTIFIED BY 'secret'; GRANT ALL ON *.* TO app;
    CREATE USER other IDENTIFIED BY 'o'; GRANT ALL ON t.* TO other;
    CREATE TABLE n (id INT PRIMARY KEY, v VARCHAR(300), b LONGBLOB);
    INSERT INTO n SELECT a.n * 10 + b.n, REPEAT('x', a.n * 30), NULL FROM
      (SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3) a, (SELECT 0 n UNION SELECT 1 UNION SELECT 9) b;
    CREATE PROCEDURE several() BEGIN SELECT * FROM n; SELECT 1, 2; UPDATE n SET v = v; END;
    CREATE PROCEDURE out_param(OUT p INT) BEGIN SET p = 5; SELECT 7; END;
    CREATE PROCEDURE fails() BEGIN SELECT 1; SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END`);
});
afterAll(() => stopServers(servers));
afterEach(() => {
  for (const relay of relays.splice(0)) relay.close();
});

async function relay(listener: Listener): Promise<number> {
  const server = createServer((client: Socket) => {
    const backend = connect(servers.a.port, "127.0.0.1");
    client.on("data", (chunk) => {
      listener.client(chunk);
      backend.write(chunk);
    });
    backend.on("data", (chunk) => {
      listener.server(chunk);
      client.write(chunk);
    });
    for (const [one, two] of [[client, backend] as const, [backend, client] as const]) {
      one.on("error", () => two.destroy());
      one.on("end", () => two.end());
    }
  });
  relays.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as { port: number }).port;
}

describe.each([1, 3, 7, 1000, 1 << 20])("a listener that gets %d bytes at a time", (pieceBytes) => {
  test("knows when each reply to mysql2 is complete, and how many rows it had", async () => {
    const listener = new Listener(pieceBytes);
    const connection = await mysql.createConnection({
      host: "127.0.0.1",
      port: await relay(listener),
      user: "app",
      password: "secret",
      database: "t",
      multipleStatements: true,
      infileStreamFactory: () => {
        throw new Error("no file");
      },
    });
    let rows = 0;
    const count = (result: unknown): void => {
      if (!Array.isArray(result)) return;
      if (result.some((part) => Array.isArray(part))) for (const part of result) count(part);
      else
        rows += result.filter(
          (row) => (row as { constructor: { name: string } }).constructor.name !== "ResultSetHeader",
        ).length;
    };
    for (const sql of [
      "SELECT * FROM n",
      "SELECT 1 WHERE FALSE",
      "SET @a = 1; SELECT @a; SELECT * FROM n; DO 0",
      "CALL several()",
      "INSERT INTO n VALUES (1000, 'a', 'b') ON DUPLICATE KEY UPDATE v = 'c'",
      "SELECT REPEAT('y', 300), NULL, ''",
      "EXPLAIN SELECT * FROM n",
      "SHOW WARNINGS",
    ]) {
      count((await connection.query(sql))[0]);
      expect(listener.complete).toBe(true);
    }
    for (const wrong of ["SELECT nope", "CALL fails()", "SELECT 1; SELECT nope; SELECT 2"]) {
      await expect(connection.query(wrong)).rejects.toThrow();
    }
    rows += 2;
    count((await connection.execute("SELECT * FROM n WHERE id > ? AND v <> ?", [3, "q"]))[0]);
    count((await connection.execute("SELECT 1"))[0]);
    count((await connection.execute("UPDATE n SET v = v WHERE id = ?", [1]))[0]);
    count((await connection.execute("CALL several()"))[0]);
    connection.unprepare("SELECT 1");
    await connection.ping();
    await connection.changeUser({ user: "other", password: "o", database: "t" });
    count((await connection.query("SELECT USER()"))[0]);
    await expect(connection.changeUser({ user: "other", password: "bad" })).rejects.toThrow();
    connection.destroy();
    expect(listener.defects).toEqual([]);
    expect(listener.rows).toBe(rows);
    expect(hasFlag(listener.capabilities, CAP.DEPRECATE_EOF)).toBe(false);
    expect(new Set(listener.commands)).toEqual(
      new Set([COM.QUERY, COM.STMT_PREPARE, COM.STMT_EXECUTE, COM.STMT_CLOSE, COM.PING, COM.CHANGE_USER]),
    );
  });

  test("knows it for MySQL's own client too, with query attributes, session tracking and a file", async () => {
    const listener = new Listener(pieceBytes);
    const port = await relay(listener);
    const { command, args } = mysqlTool("mysql");
    const file = join(servers.a.folder, `load-${pieceBytes}.txt`);
    writeFileSync(file, Array.from({ length: 500 }, (_, index) => `${10_000 + index}\tfile\t\\N\n`).join(""));
    const script = `
      SET session_track_system_variables = '*', session_track_state_change = ON, session_track_gtids = OWN_GTID,
          session_track_transaction_info = CHARACTERISTICS;
query_attributes name value other 12
      SELECT mysql_query_attribute_string('name') got;
query_attributes name2 a
      DELETE FROM n WHERE id >= 10000;
      LOAD DATA LOCAL INFILE '${file}' INTO TABLE n;
      SELECT COUNT(*) FROM n;
      USE t
      START TRANSACTION; UPDATE n SET v = 'z' WHERE id = 1; SELECT * FROM n ORDER BY id LIMIT 3; COMMIT;
      PREPARE p FROM 'SELECT ?'; SET @x = 5; EXECUTE p USING @x;
      CALL several(); CALL out_param(@y); SELECT @y;
      SELECT nope;
      SELECT 'after the error';
      SELECT * FROM n;
status
`;
    const stdout = await runWith(script, command, [
      ...args,
      ...["--host=127.0.0.1", `--port=${port}`, "--user=app", "--password=secret", "--force"],
      ...["--ssl-mode=DISABLED", "--get-server-public-key", "--local-infile=1", "--commands=ON", "--database=t"],
      ...["--batch", "--comments"],
    ]);
    expect(listener.defects).toEqual([]);
    expect(stdout).toContain("after the error");
    expect(hasFlag(listener.capabilities, CAP.DEPRECATE_EOF)).toBe(true);
    expect(hasFlag(listener.capabilities, CAP.QUERY_ATTRIBUTES)).toBe(true);
    expect(listener.statements).toContain("SELECT nope");
    expect(listener.statements).toContain("DELETE FROM n WHERE id >= 10000");
    expect(listener.events).toContain("local-infile");
    expect(listener.events).toContain("error");
    expect(listener.commands).toContain(COM.STATISTICS);
    expect(listener.commands.at(-1)).toBe(COM.QUIT);
    expect(listener.rows).toBeGreaterThan(500);
  });
});

/** Runs a program with `input` on its standard input and gives what it says, whatever its exit code. */
function runWith(input: string, command: string, args: readonly string[]): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const child = execFile(command, args, { maxBuffer: 10_000_000 }, (_error, stdout, stderr) =>
    resolve(stdout + stderr),
  );
  child.stdin?.end(input);
  return promise;
}

test.each([true, false])(
  "a cursor leaves its rows on the server until they are fetched (DEPRECATE_EOF %s)",
  async (deprecate) => {
    const listener = new Listener(5);
    const link = await PacketLink.dial("127.0.0.1", await relay(listener), AbortSignal.timeout(5000));
    const wanted =
      CAP.PROTOCOL_41 |
      CAP.SECURE_CONNECTION |
      CAP.PLUGIN_AUTH |
      CAP.MULTI_RESULTS |
      (deprecate ? CAP.DEPRECATE_EOF : 0);
    const endpoint = { ...servers.a.endpoint("app", "secret"), tls: { mode: "disabled" as const } };
    await login(link, endpoint, { capabilities: wanted, database: undefined, attributes: new Map() });
    let received = 0;
    link.setHandler({
      packet: () => {
        received += 1;
      },
      lost: () => undefined,
    });
    const run = async (payload: Buffer): Promise<void> => {
      const commands = listener.commands.length;
      link.send(payload);
      while (listener.commands.length === commands || !listener.complete) await sleep(2);
    };
    await run(Buffer.from("\x16SELECT id, v FROM t.n WHERE id < ?", "latin1"));
    expect(listener.tracker?.prepared).toEqual({ statementId: 1, columns: 2, parameters: 1 });
    const readOnlyCursor = 1;
    const parameter = [0, 1, 3, 0, 100, 0, 0, 0];
    await run(Buffer.from([COM.STMT_EXECUTE, 1, 0, 0, 0, readOnlyCursor, 1, 0, 0, 0, ...parameter]));
    expect(hasFlag(listener.tracker?.status ?? 0, STATUS.CURSOR_EXISTS)).toBe(true);
    expect(listener.tracker?.rows).toBe(0);
    let rows = 0;
    for (let fetches = 0; !hasFlag(listener.tracker?.status ?? 0, STATUS.LAST_ROW_SENT); fetches++) {
      expect(fetches).toBeLessThan(5);
      await run(Buffer.from([COM.STMT_FETCH, 1, 0, 0, 0, 5, 0, 0, 0]));
      rows += listener.tracker?.rows ?? 0;
    }
    expect(rows).toBe(12);
    await run(Buffer.from([COM.STMT_RESET, 1, 0, 0, 0]));
    await run(Buffer.from([COM.STMT_SEND_LONG_DATA, 1, 0, 0, 0, 0, 0, 65]));
    await run(Buffer.from([COM.STMT_CLOSE, 1, 0, 0, 0]));
    await run(Buffer.from([COM.SET_OPTION, 0, 0]));
    await run(Buffer.from([COM.RESET_CONNECTION]));
    await run(Buffer.from("\x02t", "latin1"));
    await run(Buffer.from("\x04n\0", "latin1"));
    await run(Buffer.from([COM.STATISTICS]));
    await run(Buffer.from([COM.STMT_EXECUTE, 9, 0, 0, 0, 0, 1, 0, 0, 0]));
    expect(listener.tracker?.failed).toBe(true);
    await run(Buffer.from([COM.PING]));
    expect(received).toBeGreaterThan(20);
    expect(listener.defects).toEqual([]);
    link.end("done");
  },
);
