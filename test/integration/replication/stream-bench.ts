import { systemClock } from "../../../src/base/clock.ts";
import type { FailpointHook } from "../../../src/base/failpoints.ts";
import { type Logger, silentLogger } from "../../../src/base/logger.ts";
import type { Pace } from "../../../src/base/pace.ts";
import { parseTableKey } from "../../../src/base/table-name.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import type { Endpoint } from "../../../src/mysql/endpoint.ts";
import type { CarriedDdl } from "../../../src/replication/ddl-carrier.ts";
import { Stream } from "../../../src/replication/stream.ts";
import type { StreamLimits } from "../../../src/replication/stream-options.ts";
import type { OnDdl } from "../../../src/rules/on-ddl.ts";
import type { TableMappings } from "../../../src/table/table-mapping.ts";
import { ownEndpoint, schemasOf } from "../../support/own-account.ts";
import type { TestServer } from "../../support/servers.ts";

export interface Ends {
  readonly source: TestServer;
  readonly target: TestServer;
}

export interface OpenOptions {
  readonly migration?: string;
  readonly direction?: "forward" | "reverse";
  readonly startToken?: string;
  readonly mappings?: TableMappings;
  readonly limits?: Partial<StreamLimits>;
  readonly failpoint?: FailpointHook;
  readonly servers?: { readonly source: string; readonly target: string };
  readonly log?: Logger;
  readonly onDrift?: () => Promise<void>;
  readonly pace?: Pace;
  readonly onDdl?: () => OnDdl;
  readonly afterDdl?: string;
  readonly onDdlSeen?: (ddl: CarriedDdl) => Promise<void>;
  readonly readFrom?: () => Endpoint | undefined;
  /** Of all connections to the source. */
  readonly compression?: Endpoint["compression"];
}

/**
 * A stream between two servers, and the promise of its end with the error as a value. On each server it has the rights
 * of the role that it plays there.
 */
export async function openStream(
  ends: Ends,
  tables: readonly string[],
  options: OpenOptions = {},
): Promise<OpenedStream> {
  const schemas = schemasOf(tables);
  const stream = new Stream({
    migration: options.migration ?? "m",
    direction: options.direction ?? "forward",
    source: {
      ...(await ownEndpoint(ends.source, "source-reader", schemas)),
      ...(options.compression === undefined ? {} : { compression: options.compression }),
    },
    target: await ownEndpoint(ends.target, "target-writer", schemas),
    tables: tables.map(parseTableKey),
    ...(options.startToken === undefined ? {} : { startToken: options.startToken }),
    ...(options.mappings === undefined ? {} : { mappings: options.mappings }),
    limits: { heartbeatMs: 100, reconnectFirstMs: 20, reconnectMaxMs: 300, visibilityWaitMs: 300, ...options.limits },
    log: options.log ?? (process.env["STREAM_LOG"] ? consoleLogger() : silentLogger),
    clock: systemClock,
    ...(options.onDrift === undefined ? {} : { onDrift: options.onDrift }),
    ...(options.servers === undefined ? {} : { servers: options.servers }),
    ...(options.failpoint === undefined ? {} : { failpoint: options.failpoint }),
    ...(options.onDdl === undefined ? {} : { onDdl: options.onDdl }),
    ...(options.afterDdl === undefined ? {} : { afterDdl: options.afterDdl }),
    ...(options.onDdlSeen === undefined ? {} : { onDdlSeen: options.onDdlSeen }),
    ...(options.pace === undefined ? {} : { pace: options.pace }),
    ...(options.readFrom === undefined ? {} : { readFrom: options.readFrom }),
  });
  const ended = stream.run().then(
    () => undefined,
    (error: unknown) => error,
  );
  return { stream, ended };
}

export interface OpenedStream {
  readonly stream: Stream;
  readonly ended: Promise<unknown>;
}

function consoleLogger(): Logger {
  const write = (level: string) => (fields: unknown, message: string) =>
    void process.stderr.write(`${level} ${message} ${JSON.stringify(fields)}\n`);
  const logger: Logger = {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    child: () => logger,
  };
  return logger;
}

export async function executedOn(server: TestServer): Promise<GtidSet> {
  const [row] = await server.root("SELECT @@global.gtid_executed AS g");
  return GtidSet.parse(row?.["g"] ?? "");
}

/** Waits until the condition holds, for at most `timeoutMs`; fails early when the stream does. */
export async function until(
  what: string,
  opened: OpenedStream,
  condition: () => boolean,
  timeoutMs = 30_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  let failure: unknown;
  void opened.ended.then((error) => {
    failure = error ?? new Error("the stream ended");
  });
  while (!condition()) {
    if (failure instanceof Error) throw failure;
    if (performance.now() > deadline) {
      throw new Error(`${what}: not within ${timeoutMs} ms; ${JSON.stringify(opened.stream.status())}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export async function untilRunning(opened: OpenedStream, timeoutMs = 30_000): Promise<void> {
  await until("running", opened, () => opened.stream.status().state === "running", timeoutMs);
}

/** Brings the target to all that the source has, and gives what both servers make of each table. */
export async function settled(
  ends: Ends,
  opened: OpenedStream,
  tables: readonly string[],
): Promise<{ readonly source: unknown; readonly target: unknown }> {
  const failed = opened.ended.then((error) => Promise.reject(error ?? new Error("the stream ended")));
  failed.catch(() => undefined);
  await Promise.race([opened.stream.waitFor(await executedOn(ends.source), { timeoutMs: 60_000 }), failed]);
  return await checksums(ends, tables);
}

/** `CHECKSUM TABLE … EXTENDED` of both sides: the servers' own, over every byte of every stored row. */
export async function checksums(
  ends: Ends,
  tables: readonly string[],
): Promise<{ readonly source: unknown; readonly target: unknown }> {
  const sql = tables.map((table) => `SELECT '${table}' AS name, COUNT(*) AS n FROM ${table}`).join(" UNION ALL ");
  const one = async (server: TestServer): Promise<unknown> => [
    await server.root(sql),
    await server.root(`CHECKSUM TABLE ${tables.join(", ")} EXTENDED`),
  ];
  return { source: await one(ends.source), target: await one(ends.target) };
}
