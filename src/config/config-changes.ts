import type { BackendConfig, Config } from "./config.ts";
import { CONFIG_ABOUT } from "./config-about.ts";

/** What becomes of another configuration while Switchyard runs. */
export interface ConfigChanges {
  /** The configuration that is in force from now on. */
  readonly config: Config;
  /** Keys whose change is in force. */
  readonly reloaded: readonly string[];
  /** Keys whose change waits for the next start. */
  readonly kept: readonly string[];
}

/**
 * Takes from `next` what may change while `running` is in force, and leaves all else. Which keys these are is said in
 * `config-about.ts`. Names keys alone, never values: some are secrets.
 */
export function configChanges(running: Config, next: Config): ConfigChanges {
  const limits = Object.fromEntries(
    Object.entries(next.limits).filter(([name]) => CONFIG_ABOUT[`limits.${name}`]?.change === "reload"),
  );
  const { tls } = next.admin;
  const bothGiven = running.clientTls.kind === "given" && next.clientTls.kind === "given";
  const config: Config = {
    ...running,
    admin: {
      ...running.admin,
      tokens: next.admin.tokens,
      ...(running.admin.tls === undefined || tls === undefined ? {} : { tls }),
    },
    limits: { ...running.limits, ...limits },
    clientTls: bothGiven ? next.clientTls : running.clientTls,
    users: next.users,
    routeHints: next.routeHints,
    proxyProtocol: next.proxyProtocol,
    log: { ...running.log, level: next.log.level },
  };
  return { config, reloaded: differences(running, config), kept: differences(config, next) };
}

/** Paths of keys whose values differ, as the file has them; a list is one key. */
function differences(a: Config, b: Config): string[] {
  const [before, after] = [a, b].map((config) => {
    const { clientTls, ...rest } = config;
    return { ...rest, tls: clientTls, backends: mapValues(config.backends, asWritten) };
  });
  return walk(before, after, "");
}

/** An entry of `backends:` with the keys of the file. */
function asWritten({ compression, ...rest }: BackendConfig): object {
  return { ...rest, compression: compression.algorithms, zstdLevel: compression.zstdLevel };
}

function mapValues<T>(mapping: Readonly<Record<string, T>>, change: (value: T) => unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(mapping).map(([key, value]) => [key, change(value)]));
}

function walk(a: unknown, b: unknown, path: string): string[] {
  if (!isMapping(a) || !isMapping(b)) return JSON.stringify(a) === JSON.stringify(b) ? [] : [path];
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  return keys.flatMap((key) => walk(a[key], b[key], key === "kind" ? path : path === "" ? key : `${path}.${key}`));
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
