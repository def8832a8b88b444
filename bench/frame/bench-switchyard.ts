import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { SwitchyardProcess } from "../../demo/switchyard-process.ts";
import { main as build } from "../../scripts/run-build.ts";
import type { MysqlServer } from "../../servers/mysql-server.ts";
import type { BenchContext } from "./bench.ts";

const SOURCE = resolve(import.meta.dirname, "../../src/main.ts");
const MIGRATION = "bench";

export interface BenchSwitchyardOptions {
  readonly servers: { readonly old: MysqlServer; readonly new: MysqlServer };
  /** `schema.table`; they exist on `old`. */
  readonly tables: readonly string[];
  readonly logLevel?: "info" | "debug";
  /** Speak with the servers in clear text, where the peers do so too. */
  readonly withoutTls?: boolean;
  /** Further lines of its configuration. */
  readonly configuration?: readonly string[];
}

/**
 * Starts `switchyard serve` in front of the servers, as it is installed, with the rights that it asks for. In size
 * `tiny` it runs from its sources, so that a test need not compile.
 */
export async function startBenchSwitchyard(
  context: BenchContext,
  { servers, tables, logLevel = "info", withoutTls = false, configuration = [] }: BenchSwitchyardOptions,
): Promise<SwitchyardProcess> {
  if (context.size === "full" && (await build()) !== 0) throw new Error("Switchyard does not compile");
  const switchyard = new SwitchyardProcess({
    folder: join(context.folder, "switchyard"),
    backends: servers,
    account: { user: "switchyard", password: "bench-switchyard" },
    logLevel,
    configuration,
    ...(withoutTls ? { backendTls: "disabled" } : {}),
    ...(context.size === "full" ? {} : { program: SOURCE }),
  });
  await switchyard.configure();
  for (const server of [servers.old, servers.new]) {
    const grants = ["check", "--print-grants", server.name, "--with-passwords", "--tables", tables.join(",")];
    await server.root(await switchyard.text(grants));
  }
  await switchyard.start();
  context.describe("switchyard", [
    `switchyard serve, one worker${withoutTls ? ", backends with tls: { mode: disabled }" : ""}`,
    ...configuration,
  ]);
  return switchyard;
}

/** Copies the tables to `new` and follows them; they still live on `old`. */
export async function followTables(switchyard: SwitchyardProcess, tables: readonly string[]): Promise<void> {
  const places = ["--from", "old", "--to", "new", "--tables", tables.join(",")];
  await switchyard.json(["migration", "create", MIGRATION, ...places, "--wait"]);
  await switchyard.json(["diff", "start", MIGRATION]);
}

/** Moves the tables to their other home. */
export async function moveTables(
  switchyard: SwitchyardProcess,
  kind: "switch" | "rollback",
): Promise<Record<string, unknown>> {
  return await switchyard.json([kind, MIGRATION]);
}

/** What Switchyard expects of the next move, in milliseconds: typically, and by the slowest of what it has measured. */
export async function forecastMove(
  switchyard: SwitchyardProcess,
  kind: "switch" | "rollback",
): Promise<{ readonly typicalMs: number; readonly slowestMs: number }> {
  const { pause } = (await switchyard.json([kind, MIGRATION, "--dry-run"])) as {
    readonly pause?: { readonly typicalMs: number; readonly slowestMs: number };
  };
  if (pause === undefined) throw new Error("the dry run says nothing of the pause");
  return pause;
}

/** Ends the migration, so that no stream runs any more; the rules go on to name its tables. */
export async function endMigration(switchyard: SwitchyardProcess): Promise<void> {
  await switchyard.json(["migration", "complete", MIGRATION]);
}

/** The process ids of Switchyard's children, by name, as its log tells them. */
export function childProcesses(switchyard: SwitchyardProcess): ReadonlyMap<string, number> {
  const lines = readFileSync(switchyard.logFile, "utf8").split("\n");
  const started = lines
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter((line) => line["msg"] === "started");
  return new Map(started.map((line) => [String(line["child"]), Number(line["pid"])]));
}

/** The process id of its one proxy worker. @throws {Error} when its log names none. */
export function proxyWorker(switchyard: SwitchyardProcess): number {
  const pid = [...childProcesses(switchyard)].find(([name]) => name.startsWith("proxy"))?.[1];
  if (pid === undefined) throw new Error("Switchyard's log names no proxy worker");
  return pid;
}
