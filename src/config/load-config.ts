import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { messageOf, SwitchyardError } from "../base/errors.ts";
import {
  type AdminConfig,
  type BackendConfig,
  type ClientTls,
  type Config,
  isLoopback,
  type StoreConfig,
} from "./config.ts";
import { type ConfigProblem, type ConfigText, configInvalid, parseConfigText, problemsOf } from "./config-problem.ts";
import { configSchema, type RawConfig } from "./config-schema.ts";
import { type ConfigPath, interpolate } from "./interpolate.ts";
import { keyPairProblem } from "./key-pair.ts";

/** Where the data of a `serve` without `dataDirectory` lives, below the working directory. */
const DATA_DIRECTORY = "switchyard-data";

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Reads and checks a configuration file. `${NAME}` comes from `env`; paths in the file start at the file's directory.
 *
 * @throws {SwitchyardError} `CONFIG_UNREADABLE`, `CONFIG_INVALID`
 */
export async function loadConfig(file: string, env: Env): Promise<Config> {
  const source = await readFile(file, "utf8").catch((error: unknown) => {
    throw new SwitchyardError("CONFIG_UNREADABLE", {
      what: `the configuration ${file} cannot be read: ${messageOf(error)}`,
      changed: "Nothing was started.",
      fix: "Name the file with --config, and make it readable for this user.",
      cause: error,
    });
  });
  const text = parseConfigText(file, source);
  const raw = check(text, env);
  return await assemble(text, raw);
}

function check(text: ConfigText, env: Env): RawConfig {
  const { value, missing } = interpolate(text.value, env);
  if (missing.length > 0) {
    throw configInvalid(
      text,
      missing.map(({ path, name }) => ({
        path,
        found: `\${${name}}, which is not set`,
        expected: `the environment variable ${name}`,
      })),
    );
  }
  const parsed = configSchema.safeParse(value);
  if (!parsed.success) throw configInvalid(text, problemsOf(parsed.error, text.value));
  const problems = contradictions(parsed.data);
  if (problems.length > 0) throw configInvalid(text, problems);
  return parsed.data;
}

/** What is wrong between parts that are each right. */
function contradictions(raw: RawConfig): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const names = Object.keys(raw.backends);
  const found = (path: ConfigPath, what: string, expected: string): void => {
    problems.push({ path, found: what, expected });
  };
  if (!names.includes(raw.default)) {
    found(
      ["default"],
      JSON.stringify(raw.default),
      `a name of \`backends\`: ${names.join(", ") || "there is none yet"}`,
    );
  }
  if (!isLoopback(raw.admin.listen.host)) {
    if (raw.admin.tokens.length === 0) {
      found(["admin"], "an address beyond loopback and no token", "`tokens`, or `listen` on 127.0.0.1");
    }
    if (raw.admin.tls === undefined && !raw.admin.insecure) {
      found(["admin"], "an address beyond loopback without TLS", "`tls` with cert and key, or `insecure: true`");
    }
  }
  const tokens = raw.admin.tokens.map((token) => token.name);
  const double = tokens.find((name, index) => tokens.indexOf(name) !== index);
  if (double !== undefined) found(["admin", "tokens"], `two tokens named ${double}`, "a name of its own for each");
  const users = raw.users.map(({ name }) => name);
  const twice = users.find((name, index) => users.indexOf(name) !== index);
  if (twice !== undefined) found(["users"], `two users named ${twice}`, "each once");
  if (raw.limits.leaseMarginMs >= raw.limits.leaseTtlMs) {
    found(
      ["limits", "leaseMarginMs"],
      String(raw.limits.leaseMarginMs),
      `less than leaseTtlMs (${raw.limits.leaseTtlMs})`,
    );
  }
  for (const [name, { tls }] of Object.entries(raw.backends)) {
    if ((tls.cert === undefined) !== (tls.key === undefined)) {
      found(["backends", name, "tls"], "only one of cert and key", "both or neither");
    }
    if (tls.mode.startsWith("verify") && tls.ca === undefined) {
      found(
        ["backends", name, "tls"],
        `mode ${tls.mode} without ca`,
        "`ca`, the path of a PEM file with the authorities to trust",
      );
    }
  }
  problems.push(...etcdContradictions(raw));
  return problems;
}

function etcdContradictions({ store }: RawConfig): ConfigProblem[] {
  if (store === "embedded") return [];
  const { endpoints, user, password, tls } = store.etcd;
  const problems: ConfigProblem[] = [];
  const found = (at: string, what: string, expected: string): void => {
    problems.push({ path: ["store", "etcd", at], found: what, expected });
  };
  const secure = endpoints.filter((endpoint) => endpoint.startsWith("https:")).length;
  if (secure > 0 && secure < endpoints.length) {
    found("endpoints", "both http and https", "all of one kind");
  }
  if (tls !== undefined && secure === 0) found("endpoints", "http, and tls", "https, or no tls");
  if (tls !== undefined && (tls.cert === undefined) !== (tls.key === undefined)) {
    found("tls", "only one of cert and key", "both or neither");
  }
  if (new Set(endpoints).size < endpoints.length) found("endpoints", "an endpoint twice", "each once");
  if ((user === undefined) !== (password === undefined)) {
    found("user", "only one of user and password", "both or neither");
  }
  return problems;
}

async function assemble(text: ConfigText, raw: RawConfig): Promise<Config> {
  const directory = dirname(resolve(text.file));
  const pem = (path: ConfigPath, file: string): Promise<string> => readPem(text, path, resolve(directory, file));
  const backends: Record<string, BackendConfig> = {};
  for (const [name, { tls, compression, zstdLevel, ...rest }] of Object.entries(raw.backends)) {
    const at = ["backends", name, "tls"];
    backends[name] = {
      name,
      ...rest,
      compression: { algorithms: compression, zstdLevel },
      tls: {
        mode: tls.mode,
        ...(tls.ca === undefined ? {} : { ca: await pem([...at, "ca"], tls.ca) }),
        ...(tls.cert === undefined ? {} : { cert: await pem([...at, "cert"], tls.cert) }),
        ...(tls.key === undefined ? {} : { key: await pem([...at, "key"], tls.key) }),
      },
    };
  }
  return {
    listen: raw.listen,
    admin: await adminOf(text, raw, pem),
    store: await storeOf(raw, pem),
    dataDirectory: raw.dataDirectory === undefined ? resolve(DATA_DIRECTORY) : resolve(directory, raw.dataDirectory),
    backends,
    default: raw.default,
    limits: raw.limits,
    workers: raw.workers,
    clientTls: await clientTlsOf(text, raw, pem),
    users: raw.users,
    routeHints: raw.routeHints,
    proxyProtocol: raw.proxyProtocol,
    compression: raw.compression,
    log: raw.log,
  };
}

type ReadPem = (path: ConfigPath, file: string) => Promise<string>;

async function adminOf(text: ConfigText, { admin }: RawConfig, pem: ReadPem): Promise<AdminConfig> {
  const { listen, insecure, tls } = admin;
  const tokens = admin.tokens.map((token) => ({ ...token, sha256: token.sha256.toLowerCase() }));
  if (tls === undefined) return { listen, tokens, insecure };
  const pair = {
    cert: await pem(["admin", "tls", "cert"], tls.cert),
    key: await pem(["admin", "tls", "key"], tls.key),
  };
  refuseUnlike(text, ["admin", "tls"], pair);
  return { listen, tokens, insecure, tls: pair };
}

async function storeOf({ store }: RawConfig, pem: ReadPem): Promise<StoreConfig> {
  if (store === "embedded") return { kind: "embedded" };
  const { endpoints, prefix, user, password, tls } = store.etcd;
  const at = ["store", "etcd", "tls"];
  return {
    ...{ kind: "etcd", endpoints, prefix },
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined
      ? {}
      : {
          tls: {
            ca: await pem([...at, "ca"], tls.ca),
            ...(tls.cert === undefined ? {} : { cert: await pem([...at, "cert"], tls.cert) }),
            ...(tls.key === undefined ? {} : { key: await pem([...at, "key"], tls.key) }),
          },
        }),
  };
}

async function clientTlsOf(text: ConfigText, { tls }: RawConfig, pem: ReadPem): Promise<ClientTls> {
  if (typeof tls === "string") return { kind: tls };
  const pair = { cert: await pem(["tls", "cert"], tls.cert), key: await pem(["tls", "key"], tls.key) };
  refuseUnlike(text, ["tls"], pair);
  return { kind: "given", ...pair };
}

function refuseUnlike(text: ConfigText, path: ConfigPath, pair: { readonly cert: string; readonly key: string }): void {
  const found = keyPairProblem(pair);
  if (found === undefined) return;
  throw configInvalid(text, [{ path, found, expected: "a certificate and the private key that belongs to it" }]);
}

async function readPem(text: ConfigText, path: ConfigPath, file: string): Promise<string> {
  const found = await readFile(file, "utf8").catch((error: unknown) => {
    throw configInvalid(text, [{ path, found: messageOf(error), expected: "a PEM file that this user can read" }]);
  });
  if (found.includes("-----BEGIN ")) return found;
  throw configInvalid(text, [{ path, found: `${file}, which is not PEM`, expected: "a PEM file" }]);
}
