import mysqljs from "mysql";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { arm, disarm, drained, type Harness, hold, PASSWORD, seed, startHarness, swap, USER } from "./proxy-harness.ts";

let servers: Record<"old" | "new", TestServer>;
let harness: Harness;

const OTHER = { name: "other", password: "other-pass-2" };

beforeAll(async () => {
  servers = await startServers(["old", "new"]);
  await seed(servers);
  for (const server of [servers.old, servers.new]) {
    await server.root(`CREATE USER other@'%' IDENTIFIED BY '${OTHER.password}'; GRANT ALL ON shop.* TO other@'%'`);
  }
  harness = await startHarness(servers, { users: [{ name: USER, password: PASSWORD }, OTHER] });
});

afterAll(async () => {
  await harness?.close();
  await stopServers(servers);
});

type Row = Readonly<Record<string, unknown>>;

/** mysqljs, which knows only native passwords, with promises. */
class NativeClient {
  readonly #connection: mysqljs.Connection;

  private constructor(connection: mysqljs.Connection) {
    this.#connection = connection;
    connection.on("error", () => undefined);
  }

  static async connect(password: string, user = USER): Promise<NativeClient> {
    const { port } = harness;
    const client = new NativeClient(
      mysqljs.createConnection({ host: "127.0.0.1", port, user, password, database: "shop" }),
    );
    await new Promise<void>((resolve, reject) => {
      client.#connection.connect((error) => (error === null ? resolve() : reject(error)));
    });
    return client;
  }

  get threadId(): number | null {
    return this.#connection.threadId;
  }

  query(sql: string): Promise<readonly Row[]> {
    return new Promise((resolve, reject) => {
      this.#connection.query(sql, (error, rows: readonly Row[]) => (error === null ? resolve(rows) : reject(error)));
    });
  }

  changeUser(user: string, password: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#connection.changeUser({ user, password, database: "shop" }, (error) =>
        // The library says null or undefined where all went well.
        error ? reject(error) : resolve(),
      );
    });
  }

  end(): void {
    this.#connection.destroy();
  }
}

const WHO = "SELECT CURRENT_USER() AS me, CONNECTION_ID() AS id";

describe("a client that knows only native passwords", () => {
  test("is served from `users:`, also across a switch", async () => {
    const client = await NativeClient.connect(PASSWORD);
    const [row] = await client.query(WHO);
    expect(row).toMatchObject({ me: "app@%", id: client.threadId });
    await client.query("INSERT INTO orders (id, note) VALUES (1, 'at home')");
    await arm(harness);
    await hold(harness);
    await drained(harness);
    const waiting = client.query("INSERT INTO orders (id, note) VALUES (2, 'away')");
    await swap(harness);
    await waiting;
    await disarm(harness);
    expect(await servers.new.root("SELECT id, note FROM shop.orders")).toEqual([{ id: "2", note: "away" }]);
    client.end();
  });

  test("is refused with a wrong password, and as a user that is not listed", async () => {
    for (const [user, password] of [
      [USER, "wrong"],
      [USER, ""],
      ["nobody", "any"],
    ] as const) {
      await expect(NativeClient.connect(password, user)).rejects.toMatchObject({ code: expect.any(String) });
    }
    await expect(NativeClient.connect("wrong")).rejects.toMatchObject({
      errno: 1045,
      sqlMessage: "Access denied for user 'app'@'127.0.0.1' (using password: YES)",
    });
  });

  test("changes its user", async () => {
    const client = await NativeClient.connect(PASSWORD);
    await client.changeUser(OTHER.name, OTHER.password);
    const [row] = await client.query(WHO);
    expect(row).toMatchObject({ me: "other@%", id: client.threadId });
    await expect(client.changeUser(USER, "wrong")).rejects.toMatchObject({ errno: 1045 });
    client.end();
  });

  test("finds users that were read again", async () => {
    const change = { limits: {}, tls: "generated" as const };
    harness.worker.reconfigure({ ...change, users: [OTHER] });
    await expect(NativeClient.connect(PASSWORD)).rejects.toThrow();
    harness.worker.reconfigure({ ...change, users: [{ name: USER, password: PASSWORD }] });
    (await NativeClient.connect(PASSWORD)).end();
  });

  test("is not in the way of clients that know more", async () => {
    const client = await harness.connect();
    await client.ping();
    await client.end();
  });
});
