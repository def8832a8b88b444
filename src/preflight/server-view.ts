import { type TableName, tableKey } from "../base/table-name.ts";
import type { AdminConnection, AdminRow } from "../mysql/admin-connection.ts";
import type { Endpoint } from "../mysql/endpoint.ts";
import { shapeQueries } from "../table/shape-queries.ts";
import { parseTableShape, type TableShape } from "../table/table-shape.ts";
import { Privileges } from "./privileges.ts";

/** One of the two servers, with what has been asked of it already, so that checks do not ask twice. */
export class ServerView {
  readonly role: "source" | "target";
  readonly endpoint: Endpoint;
  readonly connection: AdminConnection;
  #variables: Promise<ReadonlyMap<string, string>> | undefined;
  #privileges: Promise<Privileges> | undefined;
  readonly #shapes = new Map<string, Promise<TableShape>>();

  constructor(role: "source" | "target", endpoint: Endpoint, connection: AdminConnection) {
    this.role = role;
    this.endpoint = endpoint;
    this.connection = connection;
  }

  /** `source "old"`, for the subject of a finding. */
  get subject(): string {
    return `${this.role} "${this.endpoint.name}"`;
  }

  /** As 80046 for 8.0.46. */
  get version(): number {
    const match = /^(\d+)\.(\d+)\.(\d+)/.exec(this.connection.serverVersion);
    if (match === null) return 0;
    return Number(match[1]) * 10_000 + Number(match[2]) * 100 + Number(match[3]);
  }

  rows(sql: string): Promise<AdminRow[]> {
    return this.connection.rows(sql);
  }

  /** The value of a global variable; undefined where the server has none of that name. */
  async variable(name: string): Promise<string | undefined> {
    this.#variables ??= this.#readVariables();
    return (await this.#variables).get(name);
  }

  /** What the account of this connection may do, with its active roles. */
  privileges(): Promise<Privileges> {
    this.#privileges ??= this.#readPrivileges();
    return this.#privileges;
  }

  /**
   * The shape of a table.
   *
   * @throws {SwitchyardError} `TABLE_MISSING`
   */
  shape(name: TableName): Promise<TableShape> {
    const key = tableKey(name);
    const known = this.#shapes.get(key) ?? this.#readShape(name);
    this.#shapes.set(key, known);
    return known;
  }

  async #readVariables(): Promise<ReadonlyMap<string, string>> {
    const rows = await this.rows("SHOW GLOBAL VARIABLES");
    return new Map(rows.map((row) => [row["Variable_name"] ?? "", row["Value"] ?? ""]));
  }

  async #readPrivileges(): Promise<Privileges> {
    const [role] = await this.rows("SELECT CURRENT_ROLE() AS roles");
    const roles = role?.["roles"] ?? "NONE";
    const using = roles === "NONE" ? "" : ` USING ${roles}`;
    const rows = await this.rows(`SHOW GRANTS FOR CURRENT_USER()${using}`);
    const exact = (await this.variable("partial_revokes")) === "ON";
    return new Privileges(
      rows.map((row) => Object.values(row)[0] ?? ""),
      exact,
    );
  }

  async #readShape(name: TableName): Promise<TableShape> {
    const queries = shapeQueries(name);
    return parseTableShape(name, {
      table: await this.rows(queries.table),
      columns: await this.rows(queries.columns),
      keys: await this.rows(queries.keys),
      foreignKeys: await this.rows(queries.foreignKeys),
    });
  }
}
