import { deferred } from "../base/deferred.ts";
import { SwitchyardError } from "../base/errors.ts";
import { BinlogDecoder } from "../binlog/binlog-decoder.ts";
import type { BinlogEvent, GtidEvent } from "../binlog/binlog-event.ts";
import { formatGtid, type Gtid, GtidSet, GtidSetBuilder } from "../gtid/gtid-set.ts";
import { Connection } from "../mysql/connection.ts";
import { dumpRequest } from "../mysql/dump-request.ts";
import type { Endpoint } from "../mysql/endpoint.ts";
import type { AppliedHistory } from "./ledger.ts";
import { connectSource, readerAttributes, type StreamName } from "./stream-session.ts";

export interface NewSourceOptions {
  readonly name: StreamName;
  /** The server that would be followed from now on. */
  readonly endpoint: Endpoint;
  /** What the stream has of the server that was followed so far. Nothing may be applied meanwhile. */
  readonly applied: AppliedHistory;
  /** The server that was followed so far. */
  readonly formerUuid: string;
  readonly timeoutMs: number;
}

/** How a server's history differs from what was applied; all sets are empty where the stream can go on from it. */
export interface NewSourceFindings {
  readonly executed: GtidSet;
  /** Applied or copied, and not there. */
  readonly missing: GtidSet;
  /** There, and purged from its log before they were applied. */
  readonly purged: GtidSet;
  /** There, not applied, and ahead of what was applied: they would be applied in another order than there. */
  readonly errant: GtidSet;
  /** The newest applied transaction has its GTID there, and is another one. */
  readonly another: string | undefined;
}

const HEARTBEAT_MS = 1000;

/**
 * Compares a server with what a stream has of another one, whose place it shall take.
 *
 * What was written on a replica of its own accord, while the other server still wrote too, stands in the replica's log ahead
 * of transactions that came later from the other and are applied already. The stream would apply it after these, so that
 * the target would end with other rows than the replica. What stands behind all that was applied does no harm: it comes
 * in the order of the log, as every later transaction does.
 *
 * @throws {SwitchyardError} `TIMEOUT`, and what connections and decoder throw
 */
export async function inspectNewSource(options: NewSourceOptions): Promise<NewSourceFindings> {
  const signal = AbortSignal.timeout(options.timeoutMs);
  try {
    const { history, ledger } = options.applied;
    const connection = await connectSource(options.endpoint, options.name, signal);
    const destroy = (): void => connection.destroy();
    signal.addEventListener("abort", destroy, { once: true });
    let executed: GtidSet;
    let gone: GtidSet;
    try {
      const row = await connection.one("SELECT @@global.gtid_executed AS executed, @@global.gtid_purged AS purged");
      executed = GtidSet.parse(row?.["executed"] ?? "");
      gone = GtidSet.parse(row?.["purged"] ?? "");
    } finally {
      signal.removeEventListener("abort", destroy);
      connection.destroy();
    }
    const missing = history.subtract(executed);
    const purged = gone.subtract(ledger);
    const found = { executed, missing, purged, errant: GtidSet.empty, another: undefined };
    if (!missing.isEmpty || !purged.isEmpty || history.isEmpty) return found;
    return { ...found, ...(await readAhead(options, gone, signal)) };
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new SwitchyardError("TIMEOUT", {
      what: `the log of server "${options.endpoint.name}" was not compared within ${options.timeoutMs} ms`,
      changed: "Nothing was changed.",
      cause: error,
    });
  }
}

/** Reads the log from the last applied transactions on, until the last of them has come. */
async function readAhead(
  { name, endpoint, applied, formerUuid }: NewSourceOptions,
  gone: GtidSet,
  signal: AbortSignal,
): Promise<Pick<NewSourceFindings, "errant" | "another">> {
  const probes = lastOf(applied.history, formerUuid).subtract(gone);
  if (probes.isEmpty) return { errant: GtidSet.empty, another: undefined };
  const connection = await Connection.connect(endpoint, { attributes: readerAttributes(name), signal });
  const destroy = (): void => connection.destroy();
  signal.addEventListener("abort", destroy, { once: true });
  const search = new AheadSearch(probes, applied.newest, formerUuid);
  const decoder = new BinlogDecoder();
  const request = dumpRequest(applied.history.subtract(probes), HEARTBEAT_MS);
  const dumping = connection.binlogDump(request, (event) => search.event(decoder.decode(event)));
  try {
    const ended = dumping.then(() => {
      throw new SwitchyardError("MYSQL_CONNECTION_LOST", { what: "the server ended the dump of its log" });
    });
    await Promise.race([search.over, ended]);
    return { errant: search.errant, another: search.another };
  } finally {
    signal.removeEventListener("abort", destroy);
    connection.destroy();
    await dumping.catch(() => undefined);
  }
}

/**
 * The last transactions of a history that one server has written, by tag; where it has written none, of every server.
 * A server numbers its transactions in the order of its log.
 */
export function lastOf(history: GtidSet, uuid: string): GtidSet {
  const own = new GtidSetBuilder();
  const all = new GtidSetBuilder();
  for (const [key, intervals] of history.sources) {
    const [server = "", tag = ""] = key.split(":");
    const gno = intervals.at(-1) ?? 0;
    all.add(server, tag, gno);
    if (server === uuid) own.add(server, tag, gno);
  }
  const ofServer = own.build();
  return ofServer.isEmpty ? all.build() : ofServer;
}

/** Takes the events of a log and keeps what stands in it ahead of the last probe. */
export class AheadSearch {
  readonly #over = deferred<void>();
  readonly #probes: GtidSet;
  readonly #newest: AppliedHistory["newest"];
  readonly #formerUuid: string;
  readonly #seen = new GtidSetBuilder();
  readonly #ahead = new GtidSetBuilder();
  another: string | undefined;

  constructor(probes: GtidSet, newest: AppliedHistory["newest"], formerUuid: string) {
    this.#probes = probes;
    this.#newest = newest;
    this.#formerUuid = formerUuid;
  }

  /** Resolves when all probes have come. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  get errant(): GtidSet {
    return this.#ahead.build();
  }

  event(event: BinlogEvent): void {
    if (event.kind !== "gtid" || this.#over.settled) return;
    const { gtid } = event;
    if (!this.#probes.has(gtid)) {
      // The server's own that others may follow in any order; what touched the same rows keeps its order.
      if (gtid.uuid !== this.#formerUuid) add(this.#ahead, gtid);
      return;
    }
    this.#compare(event);
    add(this.#seen, gtid);
    if (this.#seen.build().contains(this.#probes)) this.#over.resolve();
  }

  #compare({ gtid, commitMicros, originalCommitMicros }: GtidEvent): void {
    const newest = this.#newest;
    if (newest === undefined || newest.gtid !== formatGtid(gtid)) return;
    if ([commitMicros, originalCommitMicros].some((micros) => BigInt(micros) === newest.commitUs)) return;
    this.another = newest.gtid;
  }
}

function add(builder: GtidSetBuilder, { uuid, tag, gno }: Gtid): void {
  builder.add(uuid, tag, gno);
}
