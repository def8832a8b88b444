import { rmSync } from "node:fs";
import { join } from "node:path";
import { MysqlServer } from "../../servers/mysql-server.ts";
import { providePrograms } from "../../servers/programs.ts";
import type { BenchContext } from "./bench.ts";
import { mysqldVersion } from "./machine.ts";

/** The same for all contenders: what each server keeps of a commit, and how much memory it has. */
export const SERVER_SETTINGS = [
  "--innodb-flush-log-at-trx-commit=2",
  "--sync-binlog=0",
  "--innodb-buffer-pool-size=512M",
  "--innodb-redo-log-capacity=2G",
  "--max-connections=2500",
] as const;

/**
 * Starts one real server for each name, with {@link SERVER_SETTINGS} and then `args`, and prints version and settings.
 * They end with this process; {@link stopBenchServers} ends them before.
 */
export async function startBenchServers<const Names extends readonly string[]>(
  context: BenchContext,
  names: Names,
  args: readonly string[] = [],
): Promise<Record<Names[number], MysqlServer>> {
  const programs = await providePrograms(context.say);
  const settings = [...SERVER_SETTINGS, ...args];
  const servers = names.map(
    (name, index) =>
      new MysqlServer(programs, { name, folder: join(context.folder, name), serverId: index + 1, args: settings }),
  );
  context.describe(`servers ${names.join(", ")}`, [
    await mysqldVersion(programs),
    "--gtid-mode=ON --log-bin (row format)",
    settings.join(" "),
  ]);
  await Promise.all(servers.map((server) => server.start()));
  return Object.fromEntries(servers.map((server) => [server.name, server])) as Record<Names[number], MysqlServer>;
}

/** Ends the servers at once and removes their data. */
export async function stopBenchServers(servers: Readonly<Record<string, MysqlServer>>): Promise<void> {
  for (const server of Object.values(servers)) {
    await server.kill9();
    rmSync(server.folder, { recursive: true, force: true });
  }
}
