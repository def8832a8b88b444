import { spawn } from "node:child_process";
import { type PeerCommand, providePeers } from "../../servers/peer-programs.ts";

/** Where sysbench connects, and as whom. */
export interface SysbenchTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly schema: string;
}

/** The tables `sbtest1`, `sbtest2`, … of one data set. */
export interface SysbenchData {
  readonly tables: number;
  readonly rowsPerTable: number;
}

export interface SysbenchLoad {
  /** The script's name, without `.lua`. */
  readonly script: "oltp_point_select" | "oltp_read_only" | "oltp_read_write" | "oltp_write_only";
  readonly threads: number;
  readonly seconds: number;
  /** `text` sends each statement as text (`--db-ps-mode=disable`), `prepared` prepares each once for a connection. */
  readonly protocol: "text" | "prepared";
  /** Further options; later ones win. */
  readonly more?: readonly string[];
}

/** What a load has reached. Errors that sysbench is told not to end at are counted. */
export interface SysbenchResult {
  readonly queries: number;
  readonly qps: number;
  readonly p95Ms: number;
  readonly ignoredErrors: number;
  readonly reconnects: number;
  /** All that it printed. */
  readonly output: string;
}

const OUTPUT_BYTES_MAX = 1024 * 1024;

/** The names of the tables of a data set, with their schema. */
export function sysbenchTables(schema: string, { tables }: SysbenchData): string[] {
  return Array.from({ length: tables }, (_, index) => `${schema}.sbtest${index + 1}`);
}

/** Makes and fills the tables; the schema and the account exist. */
export async function prepareSysbench(target: SysbenchTarget, data: SysbenchData): Promise<void> {
  const sysbench = await sysbenchProgram();
  await run(sysbench, [
    "oltp_point_select",
    ...targetArgs(target),
    ...dataArgs(data),
    `--threads=${data.tables}`,
    "prepare",
  ]);
}

/**
 * Runs one load to its end.
 *
 * @throws {Error} with what it printed, when it ends with an error.
 */
export async function runSysbench(
  target: SysbenchTarget,
  data: SysbenchData,
  load: SysbenchLoad,
  signal?: AbortSignal,
): Promise<SysbenchResult> {
  const output = await run(await sysbenchProgram(), [...sysbenchArgs(target, data, load), "run"], signal);
  return parseSysbench(output);
}

/** The command line as a person would type it; the address is left out, since it differs among contenders. */
export function describeSysbench(target: SysbenchTarget, data: SysbenchData, load: SysbenchLoad): string {
  const args = sysbenchArgs(target, data, load).filter((arg) => !/^--mysql-(host|port|password)=/.test(arg));
  return `sysbench ${args.join(" ")} run`;
}

/**
 * The figures in what sysbench prints at its end.
 *
 * @throws {Error} when one of them is not there.
 */
export function parseSysbench(output: string): SysbenchResult {
  const figure = (pattern: RegExp): number => {
    const text = pattern.exec(output)?.[1];
    if (text === undefined) throw new Error(`sysbench has not printed ${pattern}:\n${output}`);
    return Number(text);
  };
  return {
    queries: figure(/^ +queries: +(\d+) /m),
    qps: figure(/^ +queries: +\d+ +\(([\d.]+) per sec\.\)$/m),
    p95Ms: figure(/^ +95th percentile: +([\d.]+)$/m),
    ignoredErrors: figure(/^ +ignored errors: +(\d+) /m),
    reconnects: figure(/^ +reconnects: +(\d+) /m),
    output,
  };
}

/** How many events took so many milliseconds. */
export type LatencyHistogram = readonly (readonly [ms: number, events: number])[];

/** What sysbench prints with `--histogram=on`, the fastest first. */
export function sysbenchHistogram(output: string): LatencyHistogram {
  return [...output.matchAll(/^ +([\d.]+) \|\** +(\d+)$/gm)].map(([, ms, events]) => [Number(ms), Number(events)]);
}

/**
 * The time within which `percent` of the events were done.
 *
 * @throws {Error} of an empty histogram.
 */
export function histogramPercentile(histogram: LatencyHistogram, percent: number): number {
  let left = (histogram.reduce((sum, [, events]) => sum + events, 0) * percent) / 100;
  for (const [ms, events] of histogram) {
    left -= events;
    if (left <= 0) return ms;
  }
  throw new Error("sysbench has printed no histogram");
}

/** The arguments of a load, without the command at their end. */
export function sysbenchArgs(target: SysbenchTarget, data: SysbenchData, load: SysbenchLoad): string[] {
  return [
    load.script,
    ...targetArgs(target),
    ...dataArgs(data),
    `--threads=${load.threads}`,
    `--time=${load.seconds}`,
    "--percentile=95",
    ...(load.protocol === "text" ? ["--db-ps-mode=disable"] : []),
    ...(load.more ?? []),
  ];
}

function targetArgs({ host, port, user, password, schema }: SysbenchTarget): string[] {
  const account = [`--mysql-user=${user}`, `--mysql-password=${password}`, `--mysql-db=${schema}`];
  return [`--mysql-host=${host}`, `--mysql-port=${port}`, ...account];
}

function dataArgs({ tables, rowsPerTable }: SysbenchData): string[] {
  return [`--tables=${tables}`, `--table-size=${rowsPerTable}`];
}

async function sysbenchProgram(): Promise<PeerCommand> {
  const peers = await providePeers((line) => process.stderr.write(`${line}\n`));
  return peers.program("sysbench");
}

async function run(program: PeerCommand, args: readonly string[], signal?: AbortSignal): Promise<string> {
  const child = spawn(program.command, [...program.args, ...args], {
    env: { ...process.env, ...program.env },
    stdio: ["ignore", "pipe", "pipe"],
    ...(signal === undefined ? {} : { signal }),
  });
  let output = "";
  const gather = (text: string): void => {
    if (output.length < OUTPUT_BYTES_MAX) output += text;
  };
  child.stdout.setEncoding("utf8").on("data", gather);
  child.stderr.setEncoding("utf8").on("data", gather);
  const ended = await new Promise<string | number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, by) => resolve(by ?? code));
  });
  if (ended !== 0) throw new Error(`sysbench ${args[0]} ${args.at(-1)} ended with ${ended}:\n${output.trim()}`);
  return output;
}
