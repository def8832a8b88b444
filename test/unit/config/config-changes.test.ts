import { describe, expect, test } from "vitest";
import type { Config } from "../../../src/config/config.ts";
import { CONFIG_ABOUT } from "../../../src/config/config-about.ts";
import { configChanges } from "../../../src/config/config-changes.ts";
import { DEFAULT_LIMITS, type LimitName } from "../../../src/config/limits.ts";

const pair = (name: string) => ({ cert: `cert of ${name}`, key: `key of ${name}` });

const RUNNING: Config = {
  listen: { host: "127.0.0.1", port: 3306 },
  admin: { listen: { host: "127.0.0.1", port: 9930 }, tokens: [], tls: pair("admin"), insecure: false },
  store: { kind: "embedded" },
  dataDirectory: "/data",
  backends: {
    old: {
      ...{ name: "old", host: "h", port: 3306, user: "u", password: "p" },
      ...{ tls: { mode: "preferred" }, compression: { algorithms: ["uncompressed"], zstdLevel: 3 } },
    },
  },
  default: "old",
  limits: DEFAULT_LIMITS,
  workers: 1,
  clientTls: { kind: "given", ...pair("proxy") },
  users: [],
  routeHints: { users: [] },
  proxyProtocol: { trusted: [] },
  compression: ["zlib", "zstd", "uncompressed"],
  log: { level: "info", format: "json" },
};
const { old } = RUNNING.backends;
const { tls: _, ...plainAdmin } = RUNNING.admin;

/** A change of each key that is not a limit, by the key of the reference page. */
const CHANGES: readonly (readonly [string, Partial<Config>])[] = [
  ["listen", { listen: { host: "0.0.0.0", port: 3306 } }],
  ["admin.listen", { admin: { ...RUNNING.admin, listen: { host: "127.0.0.1", port: 9931 } } }],
  ["admin.tokens", { admin: { ...RUNNING.admin, tokens: [{ name: "a", role: "read", sha256: "0" }] } }],
  ["admin.tls.cert", { admin: { ...RUNNING.admin, tls: pair("another") } }],
  ["admin.insecure", { admin: { ...RUNNING.admin, insecure: true } }],
  ["dataDirectory", { dataDirectory: "/elsewhere" }],
  ["backends", { backends: { ...RUNNING.backends, more: { ...old, name: "more" } as NonNullable<typeof old> } }],
  ["backends.<name>.password", { backends: { old: { ...old, password: "q" } as NonNullable<typeof old> } }],
  [
    "backends.<name>.compression",
    { backends: { old: { ...old, compression: { algorithms: ["zstd"], zstdLevel: 3 } } as NonNullable<typeof old> } },
  ],
  ["compression", { compression: ["zlib"] }],
  ["default", { default: "new" }],
  ["workers", { workers: 2 }],
  ["tls.cert", { clientTls: { kind: "given", ...pair("another") } }],
  ["users", { users: [{ name: "native", password: "p" }] }],
  ["routeHints.users", { routeHints: { users: ["ann"] } }],
  ["proxyProtocol.trusted", { proxyProtocol: { trusted: ["10.0.0.0/8"] } }],
  ["log.level", { log: { ...RUNNING.log, level: "debug" } }],
  ["log.format", { log: { ...RUNNING.log, format: "pretty" } }],
];

describe("another configuration", () => {
  test.each(CHANGES)("with another %s is put in force or waits, as the reference page says", (key, change) => {
    const next = { ...RUNNING, ...change };
    const { config, reloaded, kept } = configChanges(RUNNING, next);
    const reloads = CONFIG_ABOUT[key]?.change === "reload";
    expect(config).toEqual(reloads ? next : RUNNING);
    expect([reloaded.length > 0, kept.length > 0]).toEqual([reloads, !reloads]);
    expect((reloads ? reloaded : kept).every((path) => path.startsWith(key.split(/[.<]/)[0] ?? ""))).toBe(true);
  });

  test.each(Object.keys(DEFAULT_LIMITS) as LimitName[])("with another limit %s does as the page says", (name) => {
    const next = { ...RUNNING, limits: { ...DEFAULT_LIMITS, [name]: DEFAULT_LIMITS[name] + 1 } };
    const { reloaded, kept } = configChanges(RUNNING, next);
    const reloads = CONFIG_ABOUT[`limits.${name}`]?.change === "reload";
    expect({ reloaded, kept }).toEqual({
      reloaded: reloads ? [`limits.${name}`] : [],
      kept: reloads ? [] : [`limits.${name}`],
    });
  });

  test("cannot turn TLS on or off, and names no secret", () => {
    const off = configChanges(RUNNING, { ...RUNNING, admin: plainAdmin, clientTls: { kind: "disabled" } });
    expect(off.config).toEqual(RUNNING);
    const on = configChanges({ ...RUNNING, admin: plainAdmin }, RUNNING);
    expect(on.config.admin).toEqual(plainAdmin);
    expect(JSON.stringify([off.kept, on.kept])).not.toMatch(/key of|cert of/);
    expect([off.kept.length, on.kept]).toEqual([4, ["admin.tls"]]);
  });
});
