import { providePrograms } from "../../servers/programs.ts";
import { runCommand } from "../../servers/run-command.ts";

/** Clients that connect at the same time. */
export const STORM_CLIENTS = 8;

export interface StormTarget {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly schema: string;
}

/**
 * How many clients a second can connect, ask `SELECT 1` and leave, over `connections` of them. MySQL's own client
 * library does it, which makes its part of TLS anew for each connection.
 */
export async function stormPerSecond(target: StormTarget, connections: number, tls: boolean): Promise<number> {
  const programs = await providePrograms((line) => process.stderr.write(`${line}\n`));
  const slap = programs.tool("mysqlslap");
  const env = { MYSQL_PWD: target.password };
  const output = await runCommand(slap.command, [...slap.args, ...stormArgs(target, connections, tls)], { env });
  return connections / parseStorm(output);
}

/** What a storm's figures begin with. */
export function stormName(tls: boolean): string {
  return tls ? "storm_tls" : "storm";
}

/** The command line of a storm, as a person would type it behind `mysqlslap`. */
export function stormArgs({ port, user, schema }: StormTarget, connections: number, tls: boolean): string[] {
  return [
    "--host=127.0.0.1",
    `--port=${port}`,
    `--user=${user}`,
    `--ssl-mode=${tls ? "REQUIRED" : "DISABLED"}`,
    "--get-server-public-key",
    `--create-schema=${schema}`,
    "--query=SELECT 1",
    `--concurrency=${STORM_CLIENTS}`,
    `--number-of-queries=${connections}`,
    "--detach=1",
    "--csv",
  ];
}

/** The seconds that mysqlslap has taken: the mean of one round. @throws {Error} when its line is not there. */
export function parseStorm(output: string): number {
  const seconds = /^[^,\n]*,mixed,([\d.]+),/m.exec(output)?.[1];
  if (seconds === undefined) throw new Error(`mysqlslap has not printed its line:\n${output}`);
  return Number(seconds);
}
