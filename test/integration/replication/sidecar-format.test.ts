import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Connection } from "../../../src/mysql/connection.ts";
import { SIDECAR } from "../../../src/replication/sidecar.ts";
import { dropSidecarRows, ensureSidecar, type SidecarFormats } from "../../../src/replication/sidecar-format.ts";
import { ownEndpoint } from "../../support/own-account.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";

let servers: Record<"a", TestServer>;
beforeAll(async () => {
  servers = await startServers(["a"]);
});
afterAll(() => stopServers(servers));
beforeEach(() => servers.a.root("DROP DATABASE IF EXISTS _switchyard"));

async function using<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = await Connection.connect(await ownEndpoint(servers.a, "target-writer", ["shop"]));
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

const comments = async (): Promise<readonly string[]> => {
  const rows = await servers.a.root(
    "SELECT DISTINCT TABLE_COMMENT AS comment FROM information_schema.TABLES WHERE TABLE_SCHEMA = '_switchyard' ORDER BY 1",
  );
  return rows.map((row) => row["comment"] ?? "");
};
const definition = async (): Promise<string> =>
  JSON.stringify(await servers.a.root("SHOW CREATE TABLE _switchyard.heartbeat"));

/** A third format: the second has a column more, which the third has renamed. */
const THIRD: SidecarFormats = {
  present: 3,
  steps: {
    1: ["ALTER TABLE _switchyard.heartbeat ADD COLUMN extra INT NULL"],
    2: ["ALTER TABLE _switchyard.heartbeat RENAME COLUMN extra TO further"],
  },
};

describe("the sidecar schema", () => {
  test("of a newer version is refused, and nothing of it is changed", async () => {
    await using(ensureSidecar);
    await servers.a.root("ALTER TABLE _switchyard.chunk COMMENT = 'switchyard format 2'");
    const before = await definition();
    await expect(using(ensureSidecar)).rejects.toThrow(
      'REPLICATION_SIDECAR_FORMAT: _switchyard.chunk on server "a" is of format 2; this version knows switchyard format 1',
    );
    expect(await definition()).toBe(before);
  });

  test("has its format in the comment of every table, and no table that this file does not name", async () => {
    await using(ensureSidecar);
    const rows = await servers.a.root(
      "SELECT CONCAT('`', TABLE_SCHEMA, '`.`', TABLE_NAME, '`') AS name, TABLE_COMMENT AS comment FROM information_schema.TABLES WHERE TABLE_SCHEMA = '_switchyard' ORDER BY 1",
    );
    const expected = Object.values(SIDECAR).toSorted();
    expect(
      rows,
      "a table of the sidecar carries its format in its comment, and stands in SIDECAR of src/replication/sidecar.ts",
    ).toEqual(expected.map((name) => ({ name, comment: "switchyard format 1" })));
  });

  test("of a newer version keeps the rows of a migration that is to end", async () => {
    await using(ensureSidecar);
    await servers.a.root(
      "INSERT INTO _switchyard.heartbeat VALUES ('m', 'forward', 1); ALTER TABLE _switchyard.chunk COMMENT = 'switchyard format 2'",
    );
    await expect(using((connection) => dropSidecarRows(connection, "m"))).rejects.toThrow("REPLICATION_SIDECAR_FORMAT");
    expect(await servers.a.root("SELECT migration FROM _switchyard.heartbeat")).toEqual([{ migration: "m" }]);
  });

  test("loses the rows of a migration that ends, and of no other, also when it is of an older version", async () => {
    const fill =
      "INSERT INTO _switchyard.heartbeat (migration, direction, beat) VALUES ('m', 'forward', 1), ('n', 'forward', 1)";
    await using(ensureSidecar);
    await servers.a.root(fill);
    await using((connection) => dropSidecarRows(connection, "m"));
    expect(await servers.a.root("SELECT migration FROM _switchyard.heartbeat")).toEqual([{ migration: "n" }]);
    await using((connection) => dropSidecarRows(connection, "n", THIRD));
    expect(await servers.a.root("SELECT migration FROM _switchyard.heartbeat")).toEqual([]);
    expect(await comments()).toEqual(["switchyard format 3"]);
    await servers.a.root("DROP DATABASE _switchyard");
    await using((connection) => dropSidecarRows(connection, "n"));
    expect(await servers.a.root("SHOW DATABASES LIKE '_switchyard'")).toEqual([]);
  });

  /*
   * 1. `check` makes a scratch table in the schema, or was killed before it could drop it.
   * 2. A stream begins, and looks at the tables of the schema.
   */
  test("is not taken for somebody else's while a check of the servers has a table there", async () => {
    await servers.a.root("CREATE DATABASE _switchyard; CREATE TABLE _switchyard.preflight_7 (id INT)");
    await using(ensureSidecar);
    expect(await servers.a.root("SHOW TABLES FROM _switchyard")).toHaveLength(Object.keys(SIDECAR).length + 1);
    await using((connection) => dropSidecarRows(connection, "m"));
  });

  test("of somebody else is refused, and nothing is put into it", async () => {
    await servers.a.root("CREATE DATABASE _switchyard; CREATE TABLE _switchyard.ledger (id INT)");
    await expect(using(ensureSidecar)).rejects.toThrow('_switchyard.ledger on server "a" is not a table of Switchyard');
    expect(await servers.a.root("SHOW TABLES FROM _switchyard")).toHaveLength(1);
  });

  test("of an older version is brought to the present one once, by one of several that come at the same time", async () => {
    await using(ensureSidecar);
    await Promise.all([1, 2, 3].map(() => using((connection) => ensureSidecar(connection, THIRD))));
    expect(await comments()).toEqual(["switchyard format 3"]);
    expect(await definition()).toContain("`further` int");
  });

  test("whose upgrade was cut between two formats goes on from there", async () => {
    await using(ensureSidecar);
    const cut: SidecarFormats = {
      present: 3,
      steps: { ...THIRD.steps, 2: ["ALTER TABLE _switchyard.nowhere COMMENT ''"] },
    };
    await expect(using((connection) => ensureSidecar(connection, cut))).rejects.toThrow();
    expect(await comments()).toEqual(["switchyard format 2"]);
    await using((connection) => ensureSidecar(connection, THIRD));
    expect(await comments()).toEqual(["switchyard format 3"]);
  });
});
