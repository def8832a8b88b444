import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { accountsCheck, printAccounts } from "../../../src/preflight/checks/accounts.ts";
import { privilegesCheck } from "../../../src/preflight/checks/privileges.ts";
import { grantObjects, grantStatements, printGrants } from "../../../src/preflight/grants.ts";
import { GRANT_ROLES, REQUIREMENTS } from "../../../src/preflight/requirements.ts";
import { runPreflight } from "../../../src/preflight/run-preflight.ts";
import { ACCOUNT, fixes, PreflightServers, problems } from "./preflight-servers.ts";

let servers: PreflightServers;

beforeAll(async () => {
  servers = await PreflightServers.start();
  await servers.source.root("CREATE TABLE shop.orders (id INT PRIMARY KEY)");
});

afterAll(async () => {
  await servers.stop();
});

const drop = async (...names: string[]): Promise<void> => {
  for (const server of [servers.source, servers.target]) {
    for (const name of names) await server.root(`DROP USER IF EXISTS ${name}`);
  }
};

describe("each printed privilege", () => {
  const cases = REQUIREMENTS.flatMap((requirement) =>
    requirement.privileges.map((privilege) => ({
      privilege,
      object: grantObjects(requirement, ["shop"], false)[0] ?? "",
      severity: requirement.optional === true ? "warning" : "error",
    })),
  );

  test.each(cases.map((one) => [one.privilege, one.object, one] as const))(
    "%s on %s is missed when it is revoked, and the printed statement gives it back",
    async (_privilege, _object, { privilege, object, severity }) => {
      await servers.target.root(`REVOKE ${privilege} ON ${object} FROM switchyard@'%'`);
      const findings = await servers.run(privilegesCheck);
      expect(problems(findings)).toEqual([
        `${severity} 'switchyard'@'%' on target "target": lacks ${privilege} on ${object}`,
      ]);
      await servers.target.root(fixes(findings));
      expect(problems(await servers.run(privilegesCheck))).toEqual([]);
    },
  );

  test("is found wherever it was granted: for the server, by a pattern, for a schema, through a role", async () => {
    await servers.target.root(
      "REVOKE SELECT, LOCK TABLES, INSERT, TRIGGER ON shop.* FROM switchyard@'%'; GRANT SELECT ON *.* TO switchyard@'%'; " +
        "GRANT LOCK TABLES ON `sh%`.* TO switchyard@'%'; CREATE ROLE writer; GRANT INSERT, TRIGGER ON shop.* TO writer; " +
        "GRANT writer TO switchyard@'%'",
    );
    expect(problems(await servers.run(privilegesCheck))[0]).toContain("lacks INSERT on");
    await servers.target.root("SET DEFAULT ROLE writer TO switchyard@'%'");
    expect(problems(await servers.run(privilegesCheck))).toEqual([]);
    await servers.target.root(
      "DROP ROLE writer; REVOKE SELECT ON *.* FROM switchyard@'%'; REVOKE LOCK TABLES ON `sh%`.* FROM switchyard@'%'",
    );
    for (const statement of printGrants("serve", { ...ACCOUNT, schemas: ["shop"] }))
      await servers.target.root(statement);
    expect(problems(await servers.run(privilegesCheck))).toEqual([]);
  });
});

describe("the printed statements", () => {
  test.each(GRANT_ROLES.filter((role) => role !== "proxy"))(
    "for the role %s are accepted by a server, twice, whatever the names",
    async (role) => {
      const odd = { user: "it's", host: "10.%", password: "a'b", schemas: ["shop", "my_shop", "100%"] };
      for (let round = 0; round < 2; round++) {
        for (const statement of printGrants(role, odd)) await servers.source.root(statement);
      }
      const rows = await servers.source.root("SHOW GRANTS FOR 'it''s'@'10.%'");
      expect(rows.length).toBeGreaterThan(1);
      await drop("'it''s'@'10.%'");
    },
  );

  test("for a proxy are none: it logs in as its clients do", () => {
    expect(printGrants("proxy", { user: "u", host: "%", schemas: ["shop"] })).toEqual([]);
  });

  test("name nothing that an old server does not know, and give the reason of each right", () => {
    const account = { user: "u", host: "%", schemas: ["shop"] };
    const old = grantStatements("serve", { ...account, version: 80_019 });
    const known = grantStatements("serve", { ...account, version: 80_020 });
    const text = (statements: typeof old): string => statements.map(({ statement }) => statement).join("\n");
    expect(text(old)).not.toContain("SHOW_ROUTINE");
    expect(text(known)).toContain("GRANT SHOW_ROUTINE ON *.*");
    expect(text(known)).not.toMatch(/SUPER|SYSTEM_USER|SET_USER_ID|SET_ANY_DEFINER|ALL PRIVILEGES|WITH GRANT/);
    expect(known.filter(({ why, roles }) => why === "" || roles.length === 0)).toEqual([]);
  });

  test("do not reach schemas whose names look alike", async () => {
    for (const statement of printGrants("diff", { user: "narrow", host: "%", password: "n", schemas: ["my_shop"] })) {
      await servers.source.root(statement);
    }
    await servers.source.root("CREATE DATABASE myXshop; CREATE DATABASE my_shop");
    const [row] = await servers.source.root("SHOW GRANTS FOR narrow");
    expect(Object.values(row ?? {})[0]).toBe("GRANT USAGE ON *.* TO `narrow`@`%`");
    const lines = (await servers.source.root("SHOW GRANTS FOR narrow")).map((one) => Object.values(one)[0]);
    expect(lines).toContain("GRANT SELECT, LOCK TABLES ON `my\\_shop`.* TO `narrow`@`%`");
    await servers.source.root("DROP DATABASE myXshop; DROP DATABASE my_shop");
    await drop("narrow");
  });
});

describe("an account that cannot log in", () => {
  test.each([
    ["wrong password", { user: ACCOUNT.user, password: "wrong" }, "MYSQL_ACCESS_DENIED"],
    ["no such user", { user: "nobody", password: "x" }, "MYSQL_ACCESS_DENIED"],
  ])("is one finding with a fix, and nothing else is asked: %s", async (_name, { user, password }, code) => {
    const findings = await runPreflight({
      source: { endpoint: servers.source.endpoint(user, password) },
      target: { endpoint: servers.target.endpoint(ACCOUNT.user, ACCOUNT.password) },
      tables: [{ schema: "shop", table: "orders" }],
    });
    expect(findings.map(({ id, severity }) => `${id} ${severity}`)).toEqual(["reachable error", "reachable ok"]);
    expect(findings[0]?.observed).toContain(code);
    expect(findings[0]?.fix).not.toBe("");
    expect(JSON.stringify(findings)).not.toContain(password === "wrong" ? "wrong" : ACCOUNT.password);
  });

  test("a server that is not there is told by its address", async () => {
    const findings = await runPreflight({
      source: { endpoint: { ...servers.source.endpoint("a", "b"), port: 1 } },
      target: { endpoint: servers.target.endpoint(ACCOUNT.user, ACCOUNT.password) },
      tables: [],
    });
    expect(problems(findings)[0]).toContain("MYSQL_UNREACHABLE");
  });
});

describe("accounts of applications", () => {
  afterEach(async () => {
    await drop("app@'%'", "reader@'%'", "boss@'%'", "near@'10.1.%'", "lonely@'%'");
    for (const server of [servers.source, servers.target]) await server.root("DROP ROLE IF EXISTS writers");
  });

  const source = (sql: string) => servers.source.root(sql);
  const APP = "CREATE USER app@'%' IDENTIFIED BY 'p'; GRANT SELECT, UPDATE ON shop.* TO app@'%'";

  test("that use other tables only are none of our business", async () => {
    await source("CREATE USER lonely@'%' IDENTIFIED BY 'p'; GRANT SELECT ON mysql.* TO lonely@'%'");
    expect(problems(await servers.run(accountsCheck))).toEqual([]);
  });

  test("that are missing on the target are made there, with the same password, by what is printed", async () => {
    await source(
      `${APP}; CREATE ROLE writers; GRANT INSERT ON shop.orders TO writers; GRANT writers TO app@'%'; ` +
        "SET DEFAULT ROLE writers TO app@'%'; CREATE USER reader@'%' IDENTIFIED BY 'r'; " +
        "GRANT SELECT (id) ON shop.orders TO reader@'%'; GRANT SELECT ON shop.* TO reader@'%'; " +
        "CREATE USER boss@'%' IDENTIFIED BY 'b'; GRANT ALL ON *.* TO boss@'%' WITH GRANT OPTION",
    );
    await servers.target.root("CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY)");
    const missing = problems(await servers.run(accountsCheck));
    expect(missing.filter((line) => line.includes("does not exist"))).toHaveLength(4);
    const context = await servers.context(["shop.orders"]);
    for (const statement of await printAccounts(context)) await servers.target.root(statement);
    await servers.close();
    expect(problems(await servers.run(accountsCheck))).toEqual([]);
    const grants = async (server: "source" | "target") =>
      (await servers[server].root("SHOW GRANTS FOR app@'%' USING writers")).map((row) => Object.values(row)[0]);
    expect(await grants("target")).toEqual(await grants("source"));
    await servers.target.root("DROP DATABASE shop");
  });

  test("that have fewer rights on the target are told what is missing", async () => {
    await source(APP);
    await servers.target.root("CREATE USER app@'%' IDENTIFIED BY 'p'; GRANT SELECT ON shop.* TO app@'%'");
    const findings = await servers.run(accountsCheck);
    expect(problems(findings)[0]).toBe(`error account 'app'@'%': lacks UPDATE on shop.orders on target "target"`);
    expect(fixes(findings)).toContain("GRANT SELECT, UPDATE ON `shop`.* TO `app`@`%`;");
  });

  test("whose rights are given in another form are well", async () => {
    await source(APP);
    await servers.target.root("CREATE USER app@'%' IDENTIFIED BY 'p'; GRANT SELECT, UPDATE, DELETE ON *.* TO app@'%'");
    expect(problems(await servers.run(accountsCheck)).filter((line) => line.startsWith("error"))).toEqual([]);
  });

  test("whose hashes differ may have the same password: a warning", async () => {
    await source(APP);
    await servers.target.root(APP);
    expect(problems(await servers.run(accountsCheck))).toEqual([
      "warning account 'app'@'%': has another password hash on the target, which may be of the same password",
    ]);
  });

  test("that are locked on the target are refused", async () => {
    await source(APP);
    await servers.target.root(`${APP}; ALTER USER app@'%' ACCOUNT LOCK`);
    expect(problems(await servers.run(accountsCheck))).toEqual(["error account 'app'@'%': is locked on the target"]);
  });

  test("that are bound to a host see the proxy's address, which is said", async () => {
    await source("CREATE USER near@'10.1.%' IDENTIFIED BY 'p'; GRANT SELECT ON shop.* TO near@'10.1.%'");
    expect(problems(await servers.run(accountsCheck))).toContain(
      "warning account 'near'@'10.1.%': may log in from 10.1.% only",
    );
  });

  test("cannot be compared without a look at mysql.user: a warning that says so", async () => {
    await servers.source.root("REVOKE SELECT ON mysql.user FROM switchyard@'%'");
    expect(problems(await servers.run(accountsCheck)).join("\n")).toContain("warning both servers: not compared");
    await servers.source.root("GRANT SELECT ON mysql.user TO switchyard@'%'");
  });
});
