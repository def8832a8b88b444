import { setTimeout as sleep } from "node:timers/promises";
import type { MysqlServer } from "../../servers/mysql-server.ts";
import type { PeerCommand } from "../../servers/peer-programs.ts";
import { type EndedCommand, endCommand } from "../../servers/run-command.ts";
import type { Contender } from "../frame/interleave.ts";
import { type CatchupServers, positionOf } from "./backlog.ts";
import { BULK_SCHEMA } from "./bulk-data.ts";
import { faultsOfReport, readChecksumReport } from "./checksum-report.ts";
import type { StreamProcess } from "./stream-process.ts";

const ARGS = [
  ...[`--databases=${BULK_SCHEMA}`, "--no-check-binlog-format", "--no-version-check"],
  // It reads the number of rows, by which it cuts a table, from an EXPLAIN in the form that servers gave before 9.7.
  "--set-vars=explain_format=TRADITIONAL",
];
/** Where it keeps its sums, and where it is told of the replica: a schema that the stream does not follow. */
const ITS_SCHEMA = "percona";
const DSNS = `${ITS_SCHEMA}.dsns`;
const SOME_DIFFER = 16;
const CAUGHT_UP_MAX_MS = 60_000;
const LOOK_EVERY_MS = 50;

export const TABLE_CHECKSUM_COMMANDS: readonly string[] = [
  `pt-table-checksum h=…,P=…,u=… ${ARGS.join(" ")} --recursion-method=dsn=h=…,P=…,u=…,D=${ITS_SCHEMA},t=dsns`,
  "  from the same source to a native replica of it, on a third server, with replica_parallel_workers = 4;",
  "  the replica has caught up before, and stands still while the others are measured",
  "timed from the start of the program to its end",
];

type Run = EndedCommand & { readonly seconds: number };

/** `pt-table-checksum` on the source, with a replica that stands still between its runs. */
export class TableChecksum implements Contender {
  readonly name = "pt-table-checksum";
  readonly #program: PeerCommand;
  readonly #servers: CatchupServers;
  readonly #stream: StreamProcess;

  private constructor(program: PeerCommand, servers: CatchupServers, stream: StreamProcess) {
    this.#program = program;
    this.#servers = servers;
    this.#stream = stream;
  }

  /**
   * Tells it of the replica, which must have been made one of the source, and makes sure that it finds one row that
   * differs there: what it says of alike rows then means something.
   */
  static async prepare(program: PeerCommand, servers: CatchupServers, stream: StreamProcess): Promise<TableChecksum> {
    await servers
      .get("source")
      .root(
        `CREATE DATABASE ${ITS_SCHEMA}; CREATE TABLE ${DSNS} (id INT AUTO_INCREMENT PRIMARY KEY, parent_id INT, ` +
          `dsn VARCHAR(255) NOT NULL); INSERT INTO ${DSNS} (dsn) VALUES ('${addressOf(servers.get("replica"))}')`,
      );
    const checksum = new TableChecksum(program, servers, stream);
    await checksum.#requireEyes();
    return checksum;
  }

  async measure(): Promise<{ readonly seconds: number }> {
    const run = await this.#withReplica(() => this.#run());
    this.#require(run, 0);
    return { seconds: run.seconds };
  }

  async #requireEyes(): Promise<void> {
    const [table] = this.#servers.tables;
    if (table === undefined) throw new Error("there are no tables to compare");
    const add = (much: number): Promise<unknown> =>
      this.#servers.get("replica").root(`SET sql_log_bin = 0; UPDATE ${table} SET k = k + ${much} WHERE id = 1`);
    const run = await this.#withReplica(async () => {
      await add(1);
      const seen = await this.#run();
      await add(-1);
      return seen;
    });
    this.#require(run, SOME_DIFFER, new Map([[table, 1]]));
  }

  #require({ exit, output, errors }: Run, expected: number, differing?: ReadonlyMap<string, number>): void {
    const faults = faultsOfReport(readChecksumReport(output), this.#servers.data.tables, differing);
    if (exit === expected && faults.length === 0) return;
    throw new Error(
      [`${this.name} ended with ${exit}, not ${expected}`, ...faults, output.trimEnd(), errors.trimEnd()].join("\n"),
    );
  }

  /** The replica follows during the work alone; the stream has read all that the work has left in the log. */
  async #withReplica<T>(work: () => Promise<T>): Promise<T> {
    const replica = this.#servers.get("replica");
    await replica.root("START REPLICA");
    // A transaction that is new to the replica: once it is there, the replica has its connection and is not behind.
    await this.#servers.get("source").root(`ANALYZE TABLE ${DSNS}`);
    await this.#caughtUp();
    await this.#notBehind();
    const done = await work();
    await this.#caughtUp();
    await replica.root("STOP REPLICA");
    await this.#stream.ask({ order: "reach", position: await positionOf(this.#servers) });
    return done;
  }

  async #caughtUp(): Promise<void> {
    const position = await positionOf(this.#servers);
    const [row] = await this.#servers
      .get("replica")
      .root(`SELECT WAIT_FOR_EXECUTED_GTID_SET('${position}', ${CAUGHT_UP_MAX_MS / 1000}) AS gave_up`);
    if (row?.["gave_up"] === "0") return;
    throw new Error(`the replica does not reach ${position}:\n${this.#servers.get("replica").log()}`);
  }

  /** What a replica says of its lag is older than its rows; the program rests for a second where that is more than one. */
  async #notBehind(): Promise<void> {
    const until = Date.now() + CAUGHT_UP_MAX_MS;
    for (;;) {
      const [status] = await this.#servers.get("replica").root("SHOW REPLICA STATUS");
      if (status?.["Seconds_Behind_Source"] === "0") return;
      if (Date.now() > until) throw new Error(`the replica stays behind: ${JSON.stringify(status)}`);
      await sleep(LOOK_EVERY_MS);
    }
  }

  async #run(): Promise<Run> {
    const source = addressOf(this.#servers.get("source"));
    const { command, args, env } = this.#program;
    const method = `--recursion-method=dsn=${source},D=${ITS_SCHEMA},t=dsns`;
    const began = performance.now();
    const ended = await endCommand(command, [...args, source, ...ARGS, method], {
      // No file of settings that a person has at home changes what is measured.
      env: { ...env, LC_ALL: "C", HOME: this.#servers.get("source").folder },
    });
    return { ...ended, seconds: (performance.now() - began) / 1000 };
  }
}

/** As it spells where a server is. */
function addressOf({ host, port, rootUser }: MysqlServer): string {
  return `h=${host},P=${port},u=${rootUser}`;
}
