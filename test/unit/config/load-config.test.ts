import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Config } from "../../../src/config/config.ts";
import { DEFAULT_LIMITS } from "../../../src/config/limits.ts";
import { loadConfig } from "../../../src/config/load-config.ts";
import { generateCertificate } from "../../../src/proxy/server-keys.ts";

const SMALLEST = `
backends:
  old: { host: db1, user: switchyard, password: secret-one }
default: old
`;

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "switchyard-config-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

async function load(text: string, env: Record<string, string> = {}): Promise<Config> {
  const file = join(directory, "switchyard.yaml");
  await writeFile(file, text);
  return loadConfig(file, env);
}

async function refusal(text: string, env: Record<string, string> = {}): Promise<string> {
  try {
    await load(text, env);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("the configuration was accepted");
}

describe("a configuration", () => {
  test("that names one backend has every default", async () => {
    expect(await load(SMALLEST)).toEqual({
      listen: { host: "127.0.0.1", port: 3306 },
      admin: { listen: { host: "127.0.0.1", port: 9930 }, tokens: [], insecure: false },
      store: { kind: "embedded" },
      dataDirectory: resolve("switchyard-data"),
      backends: {
        old: {
          name: "old",
          host: "db1",
          port: 3306,
          user: "switchyard",
          password: "secret-one",
          tls: { mode: "preferred" },
          compression: { algorithms: ["uncompressed"], zstdLevel: 3 },
        },
      },
      default: "old",
      limits: DEFAULT_LIMITS,
      workers: 1,
      clientTls: { kind: "generated" },
      users: [],
      routeHints: { users: [] },
      proxyProtocol: { trusted: [] },
      compression: ["zlib", "zstd", "uncompressed"],
      log: { level: "info", format: "auto" },
    });
  });

  test("survives the way to a child process unchanged", async () => {
    const config = await load(SMALLEST);
    expect(JSON.parse(JSON.stringify(config))).toEqual(config);
  });

  test("takes texts and numbers from the environment, and leaves $${ alone", async () => {
    const config = await load(
      `
backends:
  old: { host: db1, port: "\${PORT}", user: switchyard, password: "a\${PASSWORD}b$\${x}" }
default: old
`,
      { PORT: "3311", PASSWORD: `$$\{y} $\{z}` },
    );
    expect(config.backends["old"]).toMatchObject({ port: 3311, password: `a$$\{y} $\{z}b$\{x}` });
  });

  test("finds certificates and data beside itself, and holds their contents", async () => {
    const pem = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n";
    const pair = await generateCertificate(new Date());
    await writeFile(join(directory, "ca.pem"), pem);
    await writeFile(join(directory, "server.pem"), pair.cert);
    await writeFile(join(directory, "server.key"), pair.key);
    const config = await load(`
dataDirectory: data
tls: { cert: server.pem, key: server.key }
backends:
  old: { host: db1, user: u, password: p, tls: { mode: verify_identity, ca: ca.pem } }
default: old
`);
    expect(config.dataDirectory).toBe(join(directory, "data"));
    expect(config.clientTls).toEqual({ kind: "given", ...pair });
    expect(config.backends["old"]?.tls).toEqual({ mode: "verify_identity", ca: pem });
  });

  test("refuses a certificate with the key of another, which would fail every login with TLS", async () => {
    const [one, other] = await Promise.all([generateCertificate(new Date()), generateCertificate(new Date())]);
    await writeFile(join(directory, "one.pem"), one.cert);
    await writeFile(join(directory, "other.key"), other.key);
    await expect(load(`${SMALLEST}tls: { cert: one.pem, key: other.key }\n`)).rejects.toThrow(
      /tls.*key values mismatch/,
    );
  });

  test("listens on an IPv6 address in brackets", async () => {
    expect((await load(`listen: "[::]:3307"${SMALLEST}`)).listen).toEqual({ host: "::", port: 3307 });
  });
});

describe("a configuration is refused with the place and what is expected", () => {
  test.each([
    ["an unknown key", `${SMALLEST}defualt: old\n`, "defualt (line 5)", "default, perhaps"],
    [
      "an unknown key of a backend",
      SMALLEST.replace("host", "prot: 1, host"),
      "backends.old.prot (line 3)",
      "port, perhaps",
    ],
    [
      "a port out of range",
      SMALLEST.replace("user:", "port: 99999, user:"),
      "backends.old.port (line 3)",
      "1 to 65535",
    ],
    ["a default that is no backend", SMALLEST.replace("default: old", "default: new"), "default (line 4)", "old"],
    ["no backend", "backends: {}\ndefault: old\n", "default (line 2)", "there is none yet"],
    ["a backend's name", SMALLEST.replaceAll("old", "Old"), "backends.Old (line 3)", "lower-case"],
    [
      "a missing password",
      SMALLEST.replace(", password: secret-one", ""),
      "backends.old.password (line 3)",
      "password",
    ],
    ["a listen address", `listen: 3306${SMALLEST}`, "listen (line 1)", "127.0.0.1:3306"],
    ["a limit in words", `limits: { holdBudgetMs: soon }${SMALLEST}`, "limits.holdBudgetMs (line 1)", "100 to 600000"],
    ["a fraction of a statement", `limits: { holdStatementsMax: 1.5 }${SMALLEST}`, "limits.holdStatementsMax", "1 to"],
    [
      "a margin larger than the lease",
      `limits: { leaseTtlMs: 1000, leaseMarginMs: 1000 }${SMALLEST}`,
      "limits.leaseMarginMs (line 1)",
      "less than leaseTtlMs",
    ],
    [
      "a user twice",
      `users: [{ name: a, password: secret-one }, { name: a, password: b }]${SMALLEST}`,
      "users (line 1)",
      "each once",
    ],
    [
      "a network that is none",
      `proxyProtocol: { trusted: ["10.0.0.0/33"] }${SMALLEST}`,
      "proxyProtocol.trusted.0 (line 1)",
      "10.0.0.0/8",
    ],
    ["an admin API open to all", `admin: { listen: "0.0.0.0:9930" }${SMALLEST}`, "admin (line 1)", "tokens"],
    ["an admin API without TLS", `admin: { listen: "0.0.0.0:9930" }${SMALLEST}`, "admin (line 1)", "insecure: true"],
    [
      "verification without an authority",
      SMALLEST.replace("user:", "tls: { mode: verify_ca }, user:"),
      "backends.old.tls (line 3)",
      "ca",
    ],
    [
      "a certificate that is not there",
      `tls: { cert: no.pem, key: no.pem }${SMALLEST}`,
      "tls.cert (line 1)",
      "a PEM file",
    ],
    [
      "a compression that servers do not know",
      SMALLEST.replace("user:", "compression: [lz4], user:"),
      "backends.old.compression.0 (line 3)",
      "a list of zlib, zstd, uncompressed",
    ],
    ["a compression twice", `compression: [zlib, zlib]${SMALLEST}`, "compression (line 1)", "each at most once"],
    ["no compression, not even none", `compression: []${SMALLEST}`, "compression (line 1)", "a list of"],
    ["a level beyond zstd's", SMALLEST.replace("user:", "zstdLevel: 23, user:"), "backends.old.zstdLevel", "1 to 22"],
    ["nothing at all", "", "the document", "a mapping"],
  ])("%s", async (_, text, place, expected) => {
    const message = await refusal(text);
    expect(message).toMatch(/^CONFIG_INVALID: /);
    expect(message).toContain(place);
    expect(message).toContain(expected);
    expect(message).toContain("Mend");
  });

  test("an environment variable that is not set, by its name", async () => {
    const message = await refusal(SMALLEST.replace("secret-one", `"$\{OLD_PASSWORD}"`));
    expect(message).toContain(`backends.old.password (line 3): found $\{OLD_PASSWORD}, which is not set`);
  });

  test("text that is not YAML, by line", async () => {
    expect(await refusal("backends:\n  old: { host: db1\n")).toMatch(/not valid YAML at line \d/);
  });

  test("the same key twice", async () => {
    expect(await refusal(`${SMALLEST}default: old\n`)).toContain("not valid YAML at line 5");
  });

  test("every mistake at once, and no secret in any of them", async () => {
    const message = await refusal(`
workers: 0
backends:
  old: { host: db1, user: u, password: [secret-one] }
`);
    for (const place of ["workers", "backends.old.password", "default"]) expect(message).toContain(place);
    expect(message).not.toContain("secret-one");
  });
});

describe("an etcd as the store", () => {
  const etcd = (text: string): string => `store: { etcd: { ${text} } }${SMALLEST}`;
  const PEM = "-----BEGIN CERTIFICATE-----\n";

  test("needs no more than its endpoints", async () => {
    const { store } = await load(etcd('endpoints: ["http://etcd-1:2379", "http://[::1]:2379"]'));
    expect(store).toEqual({
      kind: "etcd",
      endpoints: ["http://etcd-1:2379", "http://[::1]:2379"],
      prefix: "/switchyard",
    });
  });

  test("may have a prefix, an account from the environment, and files beside the configuration", async () => {
    for (const name of ["ca.pem", "me.pem", "me.key"]) await writeFile(join(directory, name), PEM + name);
    const text = `endpoints: ["https://etcd-1:2379"], prefix: /apps/shop, user: switchyard, password: "\${ETCD_PASSWORD}",
      tls: { ca: ca.pem, cert: me.pem, key: me.key }`;
    expect((await load(etcd(text), { ETCD_PASSWORD: "secret-two" })).store).toEqual({
      kind: "etcd",
      endpoints: ["https://etcd-1:2379"],
      prefix: "/apps/shop",
      user: "switchyard",
      password: "secret-two",
      tls: { ca: `${PEM}ca.pem`, cert: `${PEM}me.pem`, key: `${PEM}me.key` },
    });
  });

  test.each([
    ["no endpoint", "endpoints: []", "store.etcd.endpoints", "at least one URL"],
    ["no URL", "endpoints: [etcd-1]", "store.etcd.endpoints.0", 'a URL like "http://etcd-1:2379"'],
    ["a URL with a path", 'endpoints: ["http://e:2379/v3"]', "store.etcd.endpoints.0", "without a path"],
    ["a misspelt key", 'endpoints: ["http://e:2379"], prefx: /a', "store.etcd.prefx", "prefix, perhaps"],
    ["a prefix without /", 'endpoints: ["http://e:1"], prefix: switchyard', "store.etcd.prefix", "/switchyard"],
    ["a prefix that ends with /", 'endpoints: ["http://e:1"], prefix: /a/', "store.etcd.prefix", "none at the end"],
    ["both kinds", 'endpoints: ["http://e:1", "https://f:1"]', "store.etcd.endpoints", "all of one kind"],
    ["an endpoint twice", 'endpoints: ["http://e:1", "http://e:1"]', "store.etcd.endpoints", "each once"],
    ["a user alone", 'endpoints: ["http://e:1"], user: u', "store.etcd.user", "both or neither"],
    ["TLS for http", 'endpoints: ["http://e:1"], tls: { ca: c }', "store.etcd.endpoints", "https, or no tls"],
    ["no key", 'endpoints: ["https://e:1"], tls: { ca: c, cert: d }', "store.etcd.tls", "both or neither"],
  ])("is refused with %s, naming the place and what is expected", async (_, text, place, expected) => {
    const message = await refusal(etcd(text));
    expect(message).toContain(`  ${place} (line 1)`);
    expect(message).toContain(expected);
    expect(message.match(/: found /g)).toHaveLength(1);
  });

  test("is never spoken of with its password", async () => {
    const message = await refusal(etcd('endpoints: ["http://e:1"], user: u, password: [secret-two]'));
    expect(message).toContain("store.etcd.password");
    expect(message).not.toContain("secret-two");
  });

  test("is the only store besides the embedded one", async () => {
    expect(await refusal(`store: redis${SMALLEST}`)).toMatch(
      /store \(line 1\): found "redis", expected `embedded`, or/,
    );
  });
});

test("a file that is not there is named", async () => {
  await expect(loadConfig(join(directory, "missing.yaml"), {})).rejects.toMatchObject({
    code: "CONFIG_UNREADABLE",
    message: expect.stringContaining("missing.yaml"),
  });
});
