import { createConnection } from "mysql2/promise";
import type { Endpoint } from "../../src/mysql/endpoint.ts";
import { BULK_SCHEMA, type BulkTable } from "../bulk/bulk-data.ts";
import { percentile } from "../frame/figures.ts";

type Address = Pick<Endpoint, "host" | "port" | "user" | "password">;

/** The table whose rows are looked for. */
export const PROBE_TABLE: BulkTable = {
  name: "probe",
  create: `CREATE TABLE ${BULK_SCHEMA}.probe (id bigint NOT NULL, PRIMARY KEY (id)) ENGINE=InnoDB`,
  keys: [],
  keyParts: 1,
  rows: 1,
  line: (id) => `${id}\n`,
};

const EVERY_MS = 10;
/** How often the follower is asked; a lag is told too long by this at most. */
const LOOK_EVERY_MS = 1;
/** A probe that is not there by then counts with this. */
const GIVEN_UP_AFTER_MS = 10_000;

/** What clients of a follower see: how old a committed row is when it can first be read there. */
export interface LagSeen {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly probes: readonly Probe[];
}

/** One row that was committed, in the order of commits; times are those of {@link wallMs}. */
export interface Probe {
  readonly committedMs: number;
  readonly lagMs: number;
}

/** A time that all processes of this machine share, finer than the milliseconds of a date. */
export function wallMs(): number {
  return performance.timeOrigin + performance.now();
}

/**
 * Commits a row on the source every 10 ms, or as told, and asks the follower for the newest one all the time, until `over`
 * settles and the follower has shown the last row. Probes of the first `warmUpMs` do not count.
 */
export async function watchLag(
  source: Address,
  follower: Address,
  over: Promise<unknown>,
  warmUpMs: number,
  everyMs = EVERY_MS,
): Promise<LagSeen> {
  const [writer, reader] = await Promise.all([connect(source), connect(follower)]);
  try {
    const committedAt = new Map<number, number>();
    const probes: Probe[] = [];
    let ended = false;
    const began = wallMs();
    void over.then(
      () => {
        ended = true;
      },
      () => {
        ended = true;
      },
    );
    const writing = (async () => {
      const [[row]] = (await writer.query(`SELECT MAX(id) AS id FROM ${BULK_SCHEMA}.probe`)) as unknown as [
        [{ readonly id: number | null }],
      ];
      for (let id = (row.id ?? 0) + 1; !ended; id += 1) {
        await writer.query(`INSERT INTO ${BULK_SCHEMA}.probe VALUES (${id})`);
        committedAt.set(id, wallMs());
        await sleep(everyMs);
      }
    })();
    const last = writing.then(wallMs);
    let stopAt = Number.POSITIVE_INFINITY;
    void last.then((at) => {
      stopAt = at + GIVEN_UP_AFTER_MS;
    });
    for (;;) {
      const [[row]] = (await reader.query(`SELECT MAX(id) AS id FROM ${BULK_SCHEMA}.probe`)) as unknown as [
        [{ readonly id: number | null }],
      ];
      const now = wallMs();
      for (const [id, at] of committedAt) {
        if (id > (row.id ?? 0) && now < stopAt) break;
        committedAt.delete(id);
        if (at - began >= warmUpMs) probes.push({ committedMs: at, lagMs: now - at });
      }
      if (stopAt < Number.POSITIVE_INFINITY && committedAt.size === 0) break;
      await sleep(LOOK_EVERY_MS);
    }
    await writing;
    const lags = probes.map(({ lagMs }) => lagMs);
    return {
      p50Ms: percentile(lags, 50),
      p99Ms: percentile(lags, 99),
      maxMs: Math.max(...lags),
      probes,
    };
  } finally {
    writer.destroy();
    reader.destroy();
  }
}

function connect({ host, port, user, password }: Address): ReturnType<typeof createConnection> {
  return createConnection({ host, port, user, password });
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
