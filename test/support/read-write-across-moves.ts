import { expect } from "vitest";
import { type SysbenchLoad, sysbenchTables } from "../../bench/frame/sysbench.ts";
import type { ServeProcess } from "./serve-process.ts";
import type { TestServer } from "./servers.ts";
import { EndlessSysbench, SYSBENCH_DATA } from "./sysbench-across-moves.ts";
import { TestSystem } from "./system.ts";

const SCHEMA = "ledger";
const TRIES_MAX = 20;
const REFUSED = 3;
const ABORTED = 4;

/** Two servers, Switchyard before them, and sysbench's tables, which are followed and found equal. */
export class ReadWriteStage {
  readonly system: TestSystem;
  readonly serve: ServeProcess;

  private constructor(system: TestSystem, serve: ServeProcess) {
    this.system = system;
    this.serve = serve;
  }

  static async set(): Promise<ReadWriteStage> {
    const system = await TestSystem.start();
    await system.old.root(`CREATE DATABASE ${SCHEMA}`);
    await EndlessSysbench.prepare({ host: "127.0.0.1", port: system.old.port, ...system.application, schema: SCHEMA });
    const stage = new ReadWriteStage(system, await system.serve());
    const tables = sysbenchTables(SCHEMA, SYSBENCH_DATA).join(",");
    await stage.order("migration", "create", "load", "--from", "old", "--to", "new", "--tables", tables, "--wait");
    await stage.order("diff", "start", "load");
    return stage;
  }

  async strike(): Promise<void> {
    await this.serve.stop();
    await this.system.stop();
  }

  /** Runs a command, which must succeed. */
  async order(...args: string[]): Promise<Readonly<Record<string, unknown>>> {
    const { exit, stdout, stderr, json } = await this.serve.run(...args);
    if (exit !== 0) throw new Error(`${args.join(" ")} ended with ${exit}:\n${stdout}${stderr}`);
    return json;
  }

  /**
   * Moves the tables. Refused (3: the stream was behind) and aborted (4: a lock was not to be had in time) are answers
   * that a busy server gives; nothing has changed then, clients have seen a pause at most, and the operator tries again.
   */
  async #move(kind: "switch" | "rollback", ...options: string[]): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      const { exit, stdout, stderr } = await this.serve.run(kind, "load", ...options);
      if (exit === 0) return;
      if (tries >= TRIES_MAX || (exit !== REFUSED && exit !== ABORTED)) {
        throw new Error(`${kind} ended with ${exit} for the ${tries}. time:\n${stdout}${stderr}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }

  /**
   * Rehearses, then switches and rolls back `times` times each under sysbench's load (eight threads for each protocol), which must go on as if nothing had happened: no
   * error but deadlocks of rows, which the servers count (those of table locks would be ours, and are not among them),
   * no connection made anew, and work after each move.
   */
  async moveUnderLoad(protocols: readonly SysbenchLoad["protocol"][], times: number): Promise<void> {
    const deadlocksBefore = await this.#rowDeadlocks();
    const target = { host: "127.0.0.1", port: this.serve.proxyPort, ...this.system.application, schema: SCHEMA };
    const loads = await Promise.all(protocols.map((protocol) => EndlessSysbench.start(target, protocol)));
    const goOnFor = (seconds: number): Promise<unknown> => Promise.all(loads.map((load) => load.goOnFor(seconds)));
    try {
      await goOnFor(2);
      await this.#move("switch", "--rehearse");
      await goOnFor(1);
      for (let move = 0; move < 2 * times; move += 1) {
        await this.#move(move % 2 === 0 ? "switch" : "rollback");
        await goOnFor(1);
      }
      for (const load of loads) expect(load.running, load.output).toBe(true);
      const seconds = loads.flatMap((load) => load.seconds);
      const errors = seconds.reduce((sum, second) => sum + second.errorsPerSecond, 0);
      expect(Math.round(errors)).toBeLessThanOrEqual((await this.#rowDeadlocks()) - deadlocksBefore);
      expect(seconds.filter(({ reconnectsPerSecond }) => reconnectsPerSecond > 0)).toEqual([]);
    } finally {
      await Promise.all(loads.map((load) => load.stop()));
    }
    expect(await this.#refusedStatements()).toBe(0);
  }

  /** Errors of the proxy's own, since it was started. */
  async #refusedStatements(): Promise<number> {
    const page = await (await fetch(`http://127.0.0.1:${this.serve.adminPort}/metrics`)).text();
    expect(page).toContain("switchyard_statements_total{");
    const counts = [...page.matchAll(/^switchyard_refused_statements_total\{.*\} (\d+)$/gm)];
    return counts.reduce((sum, match) => sum + Number(match[1]), 0);
  }

  /** Deadlocks of rows, which sysbench's threads make among themselves. */
  async #rowDeadlocks(): Promise<number> {
    const counted = async (server: TestServer): Promise<number> => {
      const [row] = await server.root(
        "SELECT count FROM information_schema.innodb_metrics WHERE name = 'lock_deadlocks' AND status = 'enabled'",
      );
      return Number(row?.["count"]);
    };
    return (await counted(this.system.old)) + (await counted(this.system.new));
  }
}
