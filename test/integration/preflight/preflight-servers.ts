import { parseTableKey } from "../../../src/base/table-name.ts";
import { type AdminConnection, openAdmin } from "../../../src/mysql/admin-connection.ts";
import type { Check, CheckContext } from "../../../src/preflight/check.ts";
import type { Finding } from "../../../src/preflight/finding.ts";
import { printGrants } from "../../../src/preflight/grants.ts";
import { ServerView } from "../../../src/preflight/server-view.ts";
import { type StartOptions, startServers, stopServers, type TestServer } from "../../support/servers.ts";

export const ACCOUNT = { user: "switchyard", host: "%", password: "sw1tch" };

/** Two real servers, used through accounts that have exactly what `print-grants` prints. */
export class PreflightServers {
  readonly source: TestServer;
  readonly target: TestServer;
  readonly #opened: AdminConnection[] = [];

  private constructor(source: TestServer, target: TestServer) {
    this.source = source;
    this.target = target;
  }

  static async start(options: StartOptions = {}): Promise<PreflightServers> {
    const { source, target } = await startServers(["source", "target"], options);
    for (const server of [source, target]) {
      for (const statement of printGrants("serve", { ...ACCOUNT, schemas: ["shop"] })) await server.root(statement);
    }
    await source.root("CREATE DATABASE shop");
    return new PreflightServers(source, target);
  }

  async stop(): Promise<void> {
    await this.close();
    await stopServers({ source: this.source, target: this.target });
  }

  async close(): Promise<void> {
    for (const connection of this.#opened.splice(0)) await connection.close();
  }

  /** A context with fresh connections, so that nothing is remembered from a check before. */
  async context(tables: readonly string[], targetTables: "absent" | "present" = "absent"): Promise<CheckContext> {
    const views = [];
    for (const [role, server] of [
      ["source", this.source],
      ["target", this.target],
    ] as const) {
      const endpoint = server.endpoint(ACCOUNT.user, ACCOUNT.password);
      const connection = await openAdmin(endpoint);
      this.#opened.push(connection);
      views.push(new ServerView(role, endpoint, connection));
    }
    const [source, target] = views as [ServerView, ServerView];
    return { source, target, tables: tables.map(parseTableKey), targetTables };
  }

  /** What a check finds, and closes its connections. */
  async run(
    check: Check,
    tables: readonly string[] = ["shop.orders"],
    targetTables?: "absent" | "present",
    mapped: Pick<CheckContext, "mappings" | "backwards"> = {},
  ): Promise<Finding[]> {
    try {
      return await check.run({ ...(await this.context(tables, targetTables)), ...mapped });
    } finally {
      await this.close();
    }
  }
}

/** Findings that are not well, each as `severity subject: observed`. */
export function problems(findings: readonly Finding[]): string[] {
  return findings
    .filter(({ severity }) => severity !== "ok")
    .map(({ severity, subject, observed }) => `${severity} ${subject}: ${observed}`);
}

/** The fixes of what is not well, as statements for an administrator. */
export function fixes(findings: readonly Finding[]): string {
  return findings.map(({ fix }) => fix).join(" ");
}
