import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Connection } from "../../../src/mysql/connection.ts";
import { SIDECAR } from "../../../src/replication/sidecar.ts";
import { dropSidecarRows, ensureSidecar, type SidecarFormats } from "../../../src/replication/sidecar-format.ts";
import { formatComment, SIDECAR_FORMAT } from "../../../src/rules/sidecar-schema.ts";
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

/** Two formats later: the first of them has a column more, which the next has renamed. */
const LATER: SidecarFormats = {
  present: SIDECAR_FORMAT + 2,
  steps: {
    [SIDECAR_FORMAT]: ["ALTER TABLE _switchyard.heartbeat ADD COLUMN extra INT NULL"],
    [SIDECAR_FORMAT + 1]: ["ALTER TABLE _switchyard.heartbeat RENAME COLUMN extra TO further"],
  },
};
const NEWER = SIDECAR_FORMAT + 1;

/** The schema as the version of the first format has made it, with a ledger in use. */
async function makeFirstFormat(): Promise<void> {
  await using(ensureSidecar);
  await servers.a.root("ALTER TABLE _switchyard.ledger DROP COLUMN sealed_by");
  for (const name of Object.values(SIDECAR))
    await servers.a.root(`ALTER TABLE ${name} COMMENT = 'switchyard format 1'`);
  await servers.a.root(
    "INSERT INTO _switchyard.ledger (migration, direction, worker, epoch, gtids) VALUES ('m', 'forward', 0, 7, 'gtids')",
  );
}

describe("the sidecar schema", () => {
  test("of a newer version is refused, and nothing of it is changed", async () => {
    await using(ensureSidecar);
    await servers.a.root(`ALTER TABLE _switchyard.chunk COMMENT = 'switchyard format ${NEWER}'`);
    const before = await definition();
    await expect(using(ensureSidecar)).rejects.toThrow(
      `REPLICATION_SIDECAR_FORMAT: _switchyard.chunk on server "a" is of format ${NEWER}; this version knows switchyard format ${SIDECAR_FORMAT}`,
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
    ).toEqual(expected.map((name) => ({ name, comment: formatComment(SIDECAR_FORMAT) })));
  });

  test("of a newer version keeps the rows of a migration that is to end", async () => {
    await using(ensureSidecar);
    await servers.a.root(
      `INSERT INTO _switchyard.heartbeat VALUES ('m', 'forward', 1); ALTER TABLE _switchyard.chunk COMMENT = 'switchyard format ${NEWER}'`,
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
    await using((connection) => dropSidecarRows(connection, "n", LATER));
    expect(await servers.a.root("SELECT migration FROM _switchyard.heartbeat")).toEqual([]);
    expect(await comments()).toEqual([formatComment(LATER.present)]);
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
    await Promise.all([1, 2, 3].map(() => using((connection) => ensureSidecar(connection, LATER))));
    expect(await comments()).toEqual([formatComment(LATER.present)]);
    expect(await definition()).toContain("`further` int");
  });

  /*
   * 1. A stream of a version that knew no seals has applied up to a position; its sidecar is of the first format.
   * 2. This version begins to upgrade it, and the server dies when the column is there and no comment says so yet.
   * 3. It is upgraded again.
   */
  test.each(["", "ALTER TABLE _switchyard.ledger ADD COLUMN sealed_by VARCHAR(80) NOT NULL DEFAULT ''"])(
    "of the first format keeps what its ledgers have, and no seal stands in them: %j",
    async (doneBefore) => {
      await makeFirstFormat();
      if (doneBefore !== "") await servers.a.root(doneBefore);
      await using(ensureSidecar);
      expect(await comments()).toEqual([formatComment(SIDECAR_FORMAT)]);
      expect(await servers.a.root("SELECT epoch, gtids, sealed_by FROM _switchyard.ledger")).toEqual([
        { epoch: "7", gtids: "gtids", sealed_by: "" },
      ]);
    },
  );

  test("whose upgrade was cut between two formats goes on from there", async () => {
    await using(ensureSidecar);
    const cut: SidecarFormats = {
      present: LATER.present,
      steps: { ...LATER.steps, [NEWER]: ["ALTER TABLE _switchyard.nowhere COMMENT ''"] },
    };
    await expect(using((connection) => ensureSidecar(connection, cut))).rejects.toThrow();
    expect(await comments()).toEqual([formatComment(NEWER)]);
    await using((connection) => ensureSidecar(connection, LATER));
    expect(await comments()).toEqual([formatComment(LATER.present)]);
  });
});
