import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { printGrants } from "../../src/preflight/grants.ts";
import { LEDGER_SCHEMA } from "./ledger-writers.ts";
import { type ServeOptions, ServeProcess } from "./serve-process.ts";
import { type StartOptions, startServers, stopServers, type TestServer } from "./servers.ts";

const PASSWORD = "switchyard-secret";
const APP_PASSWORD = "app-secret";

/** Two real servers with the least that Switchyard needs on them, and the ledger's tables on the first. */
export class TestSystem {
  readonly old: TestServer;
  readonly new: TestServer;
  readonly folder: string;
  #serves = 0;

  private constructor(servers: { readonly old: TestServer; readonly new: TestServer }) {
    this.old = servers.old;
    this.new = servers.new;
    this.folder = mkdtempSync(join(tmpdir(), "switchyard-system-"));
  }

  /** `schemas`: those that Switchyard may move, the ledger's where left out. */
  static async start(options: StartOptions & { readonly schemas?: readonly string[] } = {}): Promise<TestSystem> {
    const { schemas = ["ledger"], ...start } = options;
    const system = new TestSystem(await startServers(["old", "new"], start));
    for (const server of [system.old, system.new]) await system.#prepare(server, schemas);
    return system;
  }

  /** `backends:` and `default:` of the configuration. */
  get config(): string {
    const entry = (server: TestServer): string =>
      `{ host: ${server.host}, port: ${server.port}, user: switchyard, password: "${PASSWORD}" }`;
    return `backends:\n  old: ${entry(this.old)}\n  new: ${entry(this.new)}\ndefault: old\nlog: { level: debug, format: json }`;
  }

  /** Drops and makes the ledger's tables anew on the old server, and forgets what earlier migrations left. */
  async resetTables(): Promise<void> {
    for (const server of [this.old, this.new]) {
      await server.root("DROP DATABASE IF EXISTS ledger; DROP DATABASE IF EXISTS _switchyard");
    }
    await this.old.root(LEDGER_SCHEMA.join(";"));
  }

  /** A fresh `serve` with an empty store in front of the servers. */
  serve(options: Partial<ServeOptions> = {}): Promise<ServeProcess> {
    this.#serves += 1;
    return ServeProcess.start({ folder: join(this.folder, `serve-${this.#serves}`), config: this.config, ...options });
  }

  /** The application's account; it exists on both servers and may do everything in the schema `ledger`. */
  get application(): { readonly user: string; readonly password: string } {
    return { user: "app", password: APP_PASSWORD };
  }

  /** Switchyard's own account on a server. */
  ownAccount(server: TestServer): { host: string; port: number; user: string; password: string } {
    return { host: server.host, port: server.port, user: "switchyard", password: PASSWORD };
  }

  /** The connection string of the application, through the proxy of `serve` or straight to a server. */
  appUrl(to: { readonly proxyPort: number } | TestServer): string {
    const port = "proxyPort" in to ? to.proxyPort : to.port;
    return `mysql://app:${APP_PASSWORD}@127.0.0.1:${port}/`;
  }

  async stop(): Promise<void> {
    await stopServers({ old: this.old, new: this.new });
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #prepare(server: TestServer, schemas: readonly string[]): Promise<void> {
    const target = { user: "switchyard", host: "127.0.0.1", schemas, password: PASSWORD };
    await server.root(printGrants("serve", target).join("\n"));
    await server.root(
      `CREATE USER app@'127.0.0.1' IDENTIFIED BY '${APP_PASSWORD}'; GRANT ALL ON ledger.* TO app@'127.0.0.1'`,
    );
  }
}
