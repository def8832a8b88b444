import type { MigrationDocument } from "../../../src/cutover/migration-document.ts";
import type { Facts, FoundTrigger, LedgerRow, ServerFacts, StoreFacts, TableClaim } from "../../../src/doctor/facts.ts";
import { RETIRED } from "../../../src/replication/ledger.ts";
import { CLAIMS_PREFIX } from "../../../src/rules/store-keys.ts";

export const OLD = "aaaaaaaa-0000-0000-0000-000000000001";
export const NEW = "bbbbbbbb-0000-0000-0000-000000000002";
const TABLES = ["shop.items", "shop.orders"] as const;

/** The life of one migration, from before it is created to after it is complete. */
export const TIMES = ["before", "running", "switched", "rolled-back", "switched-again", "completed"] as const;
export type Time = (typeof TIMES)[number];

interface Moment {
  readonly phase: MigrationDocument["phase"] | undefined;
  readonly generation: number;
  readonly token?: string;
}

const MOMENTS: Readonly<Record<Time, Moment>> = {
  before: { phase: undefined, generation: 1 },
  running: { phase: "running", generation: 3 },
  switched: { phase: "switched", generation: 6, token: "t1" },
  "rolled-back": { phase: "running", generation: 9, token: "t2" },
  "switched-again": { phase: "switched", generation: 12, token: "t3" },
  completed: { phase: "completed", generation: 12, token: "t3" },
};

/** Where the tables live. */
export function homeAt(time: Time): "old" | "new" {
  return ["switched", "switched-again", "completed"].includes(time) ? "new" : "old";
}

function count(time: Time): number {
  return 100 * (1 + TIMES.indexOf(time));
}

export function storeAt(time: Time): StoreFacts {
  const moment = MOMENTS[time];
  const journal = journalAt(time);
  const unfinished = journal !== undefined && time !== "completed";
  const claims: TableClaim[] = [OLD, NEW].flatMap((uuid) =>
    TABLES.map((table) => ({ key: `${CLAIMS_PREFIX}${uuid}/${table}`, uuid, table, migration: "m", revision: 5 })),
  );
  const rule = { to: homeAt(time), migration: "m" };
  return {
    from: "etcd",
    live: true,
    rules: {
      revision: 50,
      document: {
        format: 2,
        generation: moment.generation,
        default: "old",
        tables: journal === undefined ? {} : Object.fromEntries(TABLES.map((table) => [table, rule])),
        armed: {},
        holds: {},
        switchId: moment.token === undefined ? "" : `switch-${moment.token}`,
      },
    },
    migrations: journal === undefined ? [] : [{ document: journal, revision: 49 }],
    claims: unfinished ? claims : [],
    proxies: [proxy("p1", moment.generation)],
    alive: ["p1"],
    controllers: [{ format: 1, id: "c1", nonce: "n", backends: ["old", "new"] }],
    runners: unfinished ? { m: { format: 1, controller: "c1", nonce: "n" } } : {},
    orders: [],
    otherTraces: [],
    unreadable: [],
    unknownKeys: [],
  };
}

export function proxy(id: string, generation: number): StoreFacts["proxies"][number] {
  return {
    format: 3,
    ...{ id, generation, bootNonce: `boot-${id}`, version: "1" },
    ...{ armed: {}, holds: {}, seenTogether: [], accounts: [], servers: {} },
  };
}

function journalAt(time: Time): MigrationDocument | undefined {
  const { phase, generation, token } = MOMENTS[time];
  if (phase === undefined) return undefined;
  const moved = {
    fenceToken: token ?? "",
    // What the home that was left had at the cut: by then half of what it has now.
    cutPosition: homeAt(time) === "new" ? `${OLD}:1-${count(time) - 50}` : `${NEW}:1-${count(time) - 50}`,
  };
  return {
    format: 3,
    onDdl: "stop",
    id: "m",
    source: "old",
    target: "new",
    sourceUuid: OLD,
    targetUuid: NEW,
    tables: TABLES,
    createdTables: TABLES,
    createdSchemas: [],
    phase,
    streams: { forward: {}, reverse: {} },
    diffs: [],
    ...(token === undefined ? {} : moved),
    generation,
    switchId: token === undefined ? "" : `switch-${token}`,
    history: [],
  };
}

/** What a server bears at a time, where nothing is wrong. */
export function serverAt(name: "old" | "new", time: Time): ServerFacts {
  const atOld = name === "old";
  const { token, phase } = MOMENTS[time];
  const isHome = homeAt(time) === name;
  const streaming = phase !== undefined && time !== "completed";
  const rows = streaming ? ledgerAt(name, time, isHome) : [];
  return {
    uuid: atOld ? OLD : NEW,
    label: `${name}:3306`,
    readOnly: false,
    superReadOnly: false,
    replica: false,
    executed: `${atOld ? OLD : NEW}:1-${count(time)}`,
    purged: `${atOld ? OLD : NEW}:1-10`,
    triggers: token === undefined || isHome ? [] : fence(token),
    sidecar: new Map([["ledger", 1]]),
    ledger: rows,
    snapshots: streaming && !atOld ? { m: [`${OLD}:1-150`] } : {},
    traces: streaming ? ["m"] : [],
    locks: [],
    appliers: streaming && !isHome ? [{ stream: `m/${atOld ? "reverse" : "forward"}`, connectionId: "7" }] : [],
    tables: new Set(time === "before" && !atOld ? [] : TABLES),
    schemasSeen: new Set(["shop"]),
    unseen: [],
  };
}

/** The stream to `old` is `reverse`; on the home it is retired, if it has ever run. */
function ledgerAt(name: "old" | "new", time: Time, isHome: boolean): readonly LedgerRow[] {
  const { token } = MOMENTS[time];
  if (token === undefined && name === "old") return [];
  const followed = name === "old" ? NEW : OLD;
  const row: LedgerRow = {
    migration: "m",
    direction: name === "old" ? "reverse" : "forward",
    worker: 0,
    epoch: "4",
    gtids: `${followed}:1-${count(time) - 20}`,
    startToken: isHome ? RETIRED : (token ?? ""),
    sealedBy: "",
    sourceUuid: followed,
  };
  return [row, { ...row, worker: 1, gtids: "" }];
}

export function fence(token: string, migration = "m", kind: "fence" | "guard" = "fence"): readonly FoundTrigger[] {
  return TABLES.flatMap((table) =>
    ["INSERT", "UPDATE", "DELETE"].map((event) => ({
      schema: "shop",
      name: `switchyard_${migration}_${table.length}0000000_${event[0]?.toLowerCase()}`,
      ...{ table, migration, kind, event, token },
      letsUsPass: true,
    })),
  );
}

/** All facts at one time. */
export function factsAt(time: Time): Facts {
  return mixed(time, time, time);
}

/** A store and two servers, each as it was at a time of its own: what is left of a backup that was restored in part. */
export function mixed(store: Time, old: Time, target: Time): Facts {
  return {
    nowMs: Date.parse("2026-11-29T00:00:00Z"),
    config: { default: "old", backends: ["old", "new"], store: "etcd" },
    store: storeAt(store),
    servers: { old: serverAt("old", old), new: serverAt("new", target) },
  };
}
