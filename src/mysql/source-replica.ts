import type { Clock } from "../base/clock.ts";
import { SwitchyardError } from "../base/errors.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import type { Connection } from "./connection.ts";

export interface SourceReplicaOptions {
  /** Sessions on both that nothing else waits for. */
  readonly replica: Connection;
  readonly source: Connection;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const POLL_MS = 100;
/**
 * How long a transaction may be on a replica before its source counts it as executed: with `semisync` AFTER_SYNC that is when
 * another replica has answered, or after `rpl_semi_sync_source_timeout`, 10 s by default.
 */
const VISIBILITY_WAIT_MS = 30_000;

/**
 * A replica that rows are read from in place of its source. What is read there is known by the exact set of transactions that
 * the replica has executed: its appliers may run side by side and leave gaps, and a locked table still holds just that set.
 *
 * That set says which transactions are done, and not that they were done to the rows. So a replica that leaves some out, or
 * passes over errors, is refused, and so is one that has transactions of its own.
 */
export class SourceReplica {
  readonly #options: SourceReplicaOptions;

  constructor(options: SourceReplicaOptions) {
    this.#options = options;
  }

  /**
   * Whether rows may be read there at all. Nothing is waited for but what the replica has and the source does not count yet.
   *
   * @throws {SwitchyardError} `MYSQL_REPLICA_UNFIT`
   */
  async check(): Promise<void> {
    const { replica, source } = this.#options;
    const here = await identityOf(replica);
    const there = await identityOf(source);
    if (here.uuid === there.uuid) throw this.#unfit(`is that server itself (server_uuid ${here.uuid})`);
    if (here.executed.intersect(there.executed).isEmpty) {
      throw this.#unfit("has no transaction of it", [
        `replica  ${brief(here.executed)}`,
        `source   ${brief(there.executed)}`,
      ]);
    }
    const wrong = await replica.rows(LEAVES_OUT);
    if (wrong.length > 0) {
      throw this.#unfit(
        "leaves transactions out, or passes over errors",
        wrong.map((row) => `${row["what"]}: ${row["value"]}`),
      );
    }
    await this.prove(here.executed);
  }

  /**
   * Waits until the replica has executed all that its source has now. False when that takes longer; the replica may have
   * stopped then.
   *
   * @throws {SwitchyardError} `MYSQL_REPLICA_UNFIT`
   */
  async arrive(timeoutMs: number): Promise<boolean> {
    await this.check();
    const { executed } = await identityOf(this.#options.source);
    const row = await this.#options.replica.one(
      `SELECT WAIT_FOR_EXECUTED_GTID_SET('${executed.toString()}', ${timeoutMs / 1000}) AS late`,
    );
    return row?.["late"] === "0";
  }

  /**
   * Makes sure that a position of the replica is one of its source: every transaction in it is in the source's log.
   *
   * @throws {SwitchyardError} `MYSQL_REPLICA_UNFIT` with the transactions that the replica alone has
   */
  async prove(position: GtidSet): Promise<void> {
    const { source, clock, signal } = this.#options;
    for (const beganMs = clock.monotonicMs(); ; ) {
      const { executed } = await identityOf(source);
      const errant = position.subtract(executed);
      if (errant.isEmpty) return;
      if (clock.monotonicMs() - beganMs > VISIBILITY_WAIT_MS) {
        throw this.#unfit("has transactions that are not from it", [
          `of its own  ${brief(errant)}`,
          `replica     ${brief(position)}`,
          `source      ${brief(executed)}`,
        ]);
      }
      await clock.sleep(POLL_MS, signal);
    }
  }

  /** For whoever cannot wait any longer. */
  behind(timeoutMs: number): SwitchyardError {
    const { replica, source } = this.#options;
    return new SwitchyardError("MYSQL_REPLICA_BEHIND", {
      what: `replica "${replica.endpoint.name}" did not get what "${source.endpoint.name}" has within ${timeoutMs} ms`,
      changed: "Nothing was changed.",
      fix: "`SHOW REPLICA STATUS` there says whether it runs. Or read from the source: `switchyard migration tune <id> --read-from ''`.",
    });
  }

  #unfit(why: string, details: readonly string[] = []): SwitchyardError {
    const { replica, source } = this.#options;
    return new SwitchyardError("MYSQL_REPLICA_UNFIT", {
      what: `rows of "${source.endpoint.name}" cannot be read from "${replica.endpoint.name}": it ${why}`,
      details,
      changed: "Nothing was changed, and nothing was read.",
      fix: "Name a replica that replicates everything from that source by GTID, or read from the source itself.",
    });
  }
}

/**
 * Filters of any channel, and settings by which an applier goes on after an error or without a row. A filter that was taken
 * back stays as one without a rule.
 */
const LEAVES_OUT = `
  SELECT CONCAT('filter ', FILTER_NAME) AS what, FILTER_RULE AS value
    FROM performance_schema.replication_applier_global_filters WHERE FILTER_RULE <> ''
  UNION ALL SELECT CONCAT('filter ', FILTER_NAME), FILTER_RULE
    FROM performance_schema.replication_applier_filters WHERE FILTER_RULE <> ''
  UNION ALL SELECT VARIABLE_NAME, VARIABLE_VALUE FROM performance_schema.global_variables
    WHERE (VARIABLE_NAME IN ('replica_skip_errors', 'slave_skip_errors') AND VARIABLE_VALUE NOT IN ('OFF', ''))
      OR (VARIABLE_NAME IN ('replica_exec_mode', 'slave_exec_mode') AND VARIABLE_VALUE <> 'STRICT')`;

async function identityOf(connection: Connection): Promise<{ readonly uuid: string; readonly executed: GtidSet }> {
  const row = await connection.one("SELECT @@global.server_uuid AS uuid, @@global.gtid_executed AS executed");
  return { uuid: row?.["uuid"] ?? "", executed: GtidSet.parse(row?.["executed"] ?? "") };
}

function brief(set: GtidSet): string {
  return set.toString().slice(0, 300);
}
