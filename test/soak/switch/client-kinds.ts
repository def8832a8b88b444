import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import mariadb from "mariadb";
import mysql, { type Connection, type QueryOptions, type ResultSetHeader, type RowDataPacket } from "mysql2/promise";
import type { Write, WriteLedger } from "./write-ledger.ts";

const INSERT = "INSERT INTO ledger.entry (client, sequence, part, note) VALUES (?, ?, ?, ?)";
const COUNT = "UPDATE ledger.counter SET n = n + 1 WHERE client = ?";
const READ = "SELECT client, sequence FROM ledger.entry WHERE id = ?";
const DELETE = "DELETE FROM ledger.entry WHERE id = ?";
/** How long a long transaction stays open between two of its statements; far below `drainTimeoutMs`. */
const LONG_MS = 120;
/** As mysql2 has it; the default of this one is a second, which a busy machine takes. */
const CONNECT_MS_MAX = 10_000;
const LOAD_ROWS = 5;
/** Of the transactions, each so many-th is taken back, and each so many-th deletes what the one before has written. */
const ROLLBACK_EVERY = 7;
const DELETE_EVERY = 5;

/** Whose transaction waits for a word. */
const OPEN_CLIENT = 9000;

export interface Plan {
  readonly parts: number;
  readonly counts: boolean;
}

/** Notes a write, before anything of it is sent. */
export type Begin = (plan: Plan) => Write;

/** One client's connection, or what it has instead. */
export interface ClientSession {
  /** One or several writes, each of which says when it is acknowledged. */
  write(begin: Begin): Promise<void>;
  close(): void;
}

export interface KindOfClient {
  open(url: string): Promise<ClientSession>;
  /** Whether a write is one statement, so that its time is what a client waits at most. */
  readonly single: boolean;
}

const ONE: Plan = { parts: 1, counts: false };
const COUNTED: Plan = { parts: 1, counts: true };
const TWO_COUNTED: Plan = { parts: 2, counts: true };

/** What may last as soon as this is sent; until its OK nobody knows. */
async function sendLast(writes: Write | readonly Write[], send: () => Promise<unknown>): Promise<void> {
  const all = "state" in writes ? [writes] : writes;
  for (const write of all) write.state = "unknown";
  await send();
  for (const write of all) write.state = "acknowledged";
}

function rowOf({ client, sequence }: Write, part: number, note: string): (string | number)[] {
  return [client, sequence, part, note];
}

/** Kinds whose session is one connection of mysql2. */
function kind(
  write: (connection: Connection, begin: Begin) => Promise<void>,
  options: { readonly single?: boolean; readonly before?: string } = {},
): KindOfClient {
  return {
    single: options.single ?? false,
    open: async (url) => {
      const connection = await connected(url);
      if (options.before !== undefined) await connection.query(options.before);
      return { write: (begin) => write(connection, begin), close: () => connection.destroy() };
    },
  };
}

/** A transaction: rows, the counter, and now and then an end by ROLLBACK or the deletion of the row before. */
function transactions(): KindOfClient {
  let done = 0;
  let last: { readonly write: Write; readonly id: number } | undefined;
  return kind(async (connection, begin) => {
    done += 1;
    const write = begin(COUNTED);
    write.state = "refused";
    await connection.query("BEGIN");
    const [{ insertId }] = await connection.query<ResultSetHeader>(INSERT, rowOf(write, 1, "transaction"));
    await connection.query(COUNT, [write.client]);
    const deletes = done % DELETE_EVERY === 0 ? last : undefined;
    last = undefined;
    if (deletes !== undefined) await connection.query(DELETE, [deletes.id]);
    if (done % ROLLBACK_EVERY === 0) {
      await connection.query("ROLLBACK");
      return;
    }
    if (deletes !== undefined) deletes.write.deletion = "unknown";
    await sendLast(write, () => connection.query("COMMIT"));
    if (deletes !== undefined) deletes.write.deletion = "acknowledged";
    last = { write, id: insertId };
  });
}

const text: KindOfClient = kind(
  async (connection, begin) => {
    const write = begin(ONE);
    const insert = connection.query<ResultSetHeader>(INSERT, rowOf(write, 1, "autocommit"));
    await sendLast(write, () => insert);
    const [{ insertId }] = await insert;
    readsOwn(write, await connection.query<RowDataPacket[]>(READ, [insertId]));
  },
  { single: true },
);

const prepared: KindOfClient = kind(
  async (connection, begin) => {
    const write = begin(ONE);
    const insert = connection.execute<ResultSetHeader>(INSERT, rowOf(write, 1, "prepared"));
    await sendLast(write, () => insert);
    const [{ insertId }] = await insert;
    readsOwn(write, await connection.execute<RowDataPacket[]>(READ, [insertId]));
  },
  { single: true },
);

/** A client has read what cannot be true; nothing that breaks excuses that. */
export class WrongRead extends Error {}

/** What was acknowledged is seen at once by whoever has written it, wherever the tables live by then. */
function readsOwn({ client, sequence }: Write, [rows]: [RowDataPacket[], unknown]): void {
  const [row] = rows;
  if (row?.["client"] === client && row["sequence"] === sequence) return;
  throw new WrongRead(`client ${client} reads ${JSON.stringify(rows)} where it has just written ${sequence}`);
}

const long: KindOfClient = kind(async (connection, begin) => {
  const write = begin(TWO_COUNTED);
  write.state = "refused";
  await connection.query("START TRANSACTION");
  await connection.execute(INSERT, rowOf(write, 1, "long"));
  await sleep(LONG_MS);
  await connection.execute(INSERT, rowOf(write, 2, "long"));
  await sleep(LONG_MS);
  await connection.execute(COUNT, [write.client]);
  await sendLast(write, () => connection.query("COMMIT"));
});

const withoutAutocommit: KindOfClient = kind(
  async (connection, begin) => {
    const write = begin(TWO_COUNTED);
    write.state = "refused";
    await connection.query(INSERT, rowOf(write, 1, "autocommit=0"));
    await connection.query(COUNT, [write.client]);
    await connection.query(INSERT, rowOf(write, 2, "autocommit=0"));
    await sendLast(write, () => connection.query("COMMIT"));
  },
  { before: "SET autocommit = 0" },
);

const loadData: KindOfClient = kind(async (connection, begin) => {
  const write = begin({ parts: LOAD_ROWS, counts: false });
  const lines = Array.from({ length: LOAD_ROWS }, (_, part) => `${rowOf(write, part + 1, "loaded").join("\t")}\n`);
  const options = {
    sql: "LOAD DATA LOCAL INFILE 'rows' INTO TABLE ledger.entry (client, sequence, part, note)",
    infileStreamFactory: () => Readable.from(lines.map((line) => Buffer.from(line))),
  };
  await sendLast(write, () => connection.query(options as QueryOptions));
});

const perQuery: KindOfClient = {
  single: true,
  open: (url) =>
    Promise.resolve({
      write: async (begin) => {
        const connection = await connected(url);
        try {
          const write = begin(ONE);
          await sendLast(write, () => connection.query(INSERT, rowOf(write, 1, "connection per query")));
          await connection.end();
        } finally {
          connection.destroy();
        }
      },
      close: () => undefined,
    }),
};

/** Sends statements without waiting for the answers of those before: three that commit by themselves, then a transaction. */
const pipelined: KindOfClient = {
  single: false,
  open: async (url) => {
    const { hostname, port, username, password } = new URL(url);
    const connection = await mariadb.createConnection({
      host: hostname,
      port: Number(port),
      user: username,
      password,
      pipelining: true,
      connectTimeout: CONNECT_MS_MAX,
      allowPublicKeyRetrieval: true,
    });
    connection.on("error", () => undefined);
    const insert = (write: Write): Promise<unknown> => connection.query(INSERT, rowOf(write, 1, "pipelined"));
    return {
      write: async (begin) => {
        const alone = [begin(ONE), begin(ONE), begin(ONE)];
        const together = begin(ONE);
        await all([
          ...alone.map((write) => sendLast(write, () => insert(write))),
          // What comes behind a statement that fails is executed all the same: only all four together say that it is there.
          sendLast(together, () => all([connection.query("BEGIN"), insert(together), connection.query("COMMIT")])),
        ]);
      },
      close: () => connection.destroy(),
    };
  },
};

/** A transaction that stays open until it is told to commit. */
export async function openTransaction(url: string, ledger: WriteLedger): Promise<{ commit(): Promise<void> }> {
  const connection = await connected(url);
  const write = ledger.begin(OPEN_CLIENT, ONE);
  write.state = "refused";
  await connection.query("BEGIN");
  await connection.query(INSERT, rowOf(write, 1, "open"));
  return {
    commit: async () => {
      await sendLast(write, () => connection.query("COMMIT"));
      connection.destroy();
    },
  };
}

/** Every kind, by its name; made anew for each client. */
export const CLIENT_KINDS: Readonly<Record<string, () => KindOfClient>> = {
  autocommit: () => text,
  transactions,
  prepared: () => prepared,
  long: () => long,
  "autocommit=0": () => withoutAutocommit,
  pipelined: () => pipelined,
  "LOAD DATA": () => loadData,
  "connection per query": () => perQuery,
};

/** Waits for all of them, and then fails as the first did. */
async function all(works: readonly Promise<unknown>[]): Promise<void> {
  for (const work of await Promise.allSettled(works)) if (work.status === "rejected") throw work.reason;
}

export async function connected(url: string): Promise<Connection> {
  const connection = await mysql.createConnection(url);
  // What ends it between two statements is told by the next.
  connection.on("error", () => undefined);
  return connection;
}
