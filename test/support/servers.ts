import { rmSync } from "node:fs";
import { join } from "node:path";
import { MysqlServer } from "../../servers/mysql-server.ts";
import { type Command, mysqlTool as providedTool, providePrograms, type ToolName } from "../../servers/programs.ts";
import { makeRunFolder } from "../../servers/run-folder.ts";

/** The path and first arguments of one of MySQL's own client programs. */
export function mysqlTool(name: ToolName): Command {
  return providedTool(name);
}

/** A real MySQL server of this test process. It ends with the process, whatever happens to it. */
export type TestServer = MysqlServer;

export interface StartOptions {
  /** Further arguments of mysqld for all servers; later ones win over the standard ones. */
  readonly args?: readonly string[];
  /** Further arguments for one server, by name. */
  readonly argsOf?: Readonly<Record<string, readonly string[]>>;
  /** How many MiB the disk of a server's binary log has, by name, for those that have one of their own. */
  readonly logDiskMebibytesOf?: Readonly<Record<string, number>>;
}

let runFolder: string | undefined;
let started = 0;

/**
 * Starts one real server for each name, all at once, each from a pristine data directory. Call it in `beforeAll` and
 * share the servers among the tests of a file; give them to {@link stopServers} in `afterAll`.
 */
export async function startServers<const Names extends readonly string[]>(
  names: Names,
  options: StartOptions = {},
): Promise<Record<Names[number], TestServer>> {
  const programs = await providePrograms((line) => process.stderr.write(`${line}\n`));
  runFolder ??= makeRunFolder();
  const folder = runFolder;
  const servers = names.map((name) => {
    const serverId = ++started;
    const args = [...(options.args ?? []), ...(options.argsOf?.[name] ?? [])];
    const disk = options.logDiskMebibytesOf?.[name];
    return new MysqlServer(programs, {
      name,
      folder: join(folder, `${serverId}-${name}`),
      serverId,
      args,
      ...(disk === undefined ? {} : { logDiskMebibytes: disk }),
    });
  });
  await Promise.all(servers.map((server) => server.start()));
  return Object.fromEntries(servers.map((server) => [server.name, server])) as Record<Names[number], TestServer>;
}

/** Ends the servers at once and removes their data. */
export async function stopServers(servers: Readonly<Record<string, TestServer>> | undefined): Promise<void> {
  for (const server of Object.values(servers ?? {})) {
    await server.kill9();
    rmSync(server.folder, { recursive: true, force: true });
  }
}
