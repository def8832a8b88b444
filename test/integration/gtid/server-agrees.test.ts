import { readFileSync } from "node:fs";
import { join } from "node:path";
import mysql, { type Connection, type RowDataPacket } from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { mutate } from "../../fuzz/mutate.ts";
import { Random } from "../../fuzz/random.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";

const A = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
const B = "0c7aa3e1-71ca-11e1-9e33-c80aa9429562";
const TEXTS_TRIED = 3000;

let servers: { a: TestServer };
let connection: Connection;

beforeAll(async () => {
  servers = await startServers(["a"]);
  connection = await mysql.createConnection({ socketPath: servers.a.socket, user: servers.a.rootUser });
});
afterAll(async () => {
  await connection.end();
  await stopServers(servers);
});

async function one(sql: string, values: readonly string[]): Promise<string | undefined> {
  try {
    const [rows] = await connection.query<RowDataPacket[][]>({ sql, rowsAsArray: true }, [...values]);
    return String(rows[0]?.[0]).replaceAll("\n", "");
  } catch {
    return undefined;
  }
}

function parsed(text: string): GtidSet | undefined {
  try {
    return GtidSet.parse(text);
  } catch {
    return undefined;
  }
}

const SEEDS = [
  "",
  `${A}:1-5:9`,
  `${A}:1-5:nightly:1-2:9,\n${B}:import:7-8`,
  `${A}:z:1,${A}:1,${A}:a:1,${A}:_:1`,
  ` ${A.toUpperCase()} : 1 - 3 : Tag_9 :\n007 ,`,
  `${A.replaceAll("-", "")}:1,{${B}}:2`,
  `${A}:5-3:7`,
  `${A}:a:b:1`,
  A,
  `${A}:1;`,
  `${A}:9223372036854775806`,
].map((text) => Buffer.from(text));
const DICTIONARY = [A, B, ":", ",", "-", "1-5", ":tag:", ":b", " ", "\n", "_", "0", "3-2"].map((text) =>
  Buffer.from(text),
);

/** What the server reads and we refuse: no interval after a UUID or tag, one that runs backwards, or beyond 2^53. */
function isRefusedOnPurpose(text: string): boolean {
  const flat = text.toLowerCase().replaceAll(/\s/g, "");
  if (flat.split(",").some((source) => source !== "" && !source.includes(":"))) return true;
  if (/:[a-z_][a-z0-9_]*(:[a-z_]|,|$)/.test(flat)) return true;
  const intervals = [...flat.matchAll(/:(\d+)(?:-(\d+))?(?=[:,]|$)/g)];
  return intervals.some(([, first = "", last = first]) => {
    return BigInt(last) < BigInt(first) || BigInt(last) > BigInt(Number.MAX_SAFE_INTEGER);
  });
}

describe("texts near to GTID sets", () => {
  test("mean to us what they mean to the server, or are refused for one of three reasons", async () => {
    const wrong: string[] = [];
    let both = 0;
    for (let i = 0; i < TEXTS_TRIED; i++) {
      const bytes = SEEDS[i] ?? mutate(Random.ofExecution(20, i), { corpus: SEEDS, dictionary: DICTIONARY });
      if (bytes.some((byte) => byte === 0 || byte >= 0x80)) continue;
      const text = bytes.toString("latin1");
      const theirs = await one("SELECT GTID_SUBTRACT(?, '')", [text]);
      const ours = parsed(text);
      if (ours !== undefined && ours.toString() === theirs) both++;
      else if (ours !== undefined || (theirs !== undefined && !isRefusedOnPurpose(text))) {
        wrong.push(`${JSON.stringify(text)}: ${theirs} by the server, ${ours} by us`);
      }
    }
    expect(wrong).toEqual([]);
    expect(both).toBeGreaterThan(200);
  });
});

describe("operations on random sets with tags", () => {
  test("give what the server's functions give", async () => {
    for (let i = 0; i < 300; i++) {
      const random = Random.ofExecution(21, i);
      const [a, b] = [randomSet(random), randomSet(random)];
      const [textA, textB] = [a.toString(), b.toString()];
      expect(a.subtract(b).toString()).toBe(await one("SELECT GTID_SUBTRACT(?, ?)", [textA, textB]));
      expect(a.union(b).toString()).toBe(await one("SELECT GTID_SUBTRACT(?, '')", [`${textA},${textB}`]));
      const meets = await one("SELECT GTID_SUBTRACT(?, GTID_SUBTRACT(?, ?))", [textA, textA, textB]);
      expect(a.intersect(b).toString()).toBe(meets);
      expect(b.contains(a)).toBe((await one("SELECT GTID_SUBSET(?, ?)", [textA, textB])) === "1");
      expect(b.contains(a.intersect(b))).toBe(true);
    }
  });
});

function randomSet(random: Random): GtidSet {
  const length = random.below(12);
  const gtids = Array.from({ length }, () => ({
    uuid: random.pick([A, B]) ?? A,
    tag: random.pick(["", "", "nightly", "_", "z9"]) ?? "",
    gno: 1 + random.below(15),
  }));
  return GtidSet.of(...gtids);
}

describe("PREVIOUS_GTIDS events that the server wrote", () => {
  const PREVIOUS_GTIDS = 35;

  /** The body of the first such event of the newest binary log, without its checksum. */
  async function newestPreviousGtids(): Promise<Buffer> {
    await connection.query("FLUSH BINARY LOGS");
    const [rows] = await connection.query<RowDataPacket[]>("SHOW BINARY LOGS");
    const log = readFileSync(join(servers.a.datadir, String(rows.at(-1)?.["Log_name"])));
    for (let at = 4; at < log.length; at = log.readUInt32LE(at + 13)) {
      if (log[at + 4] === PREVIOUS_GTIDS) return log.subarray(at + 19, log.readUInt32LE(at + 13) - 4);
    }
    throw new Error("the log has no such event");
  }

  test("are what gtid_executed says, and are written the same by us, without tags and with them", async () => {
    await connection.query("RESET BINARY LOGS AND GTIDS");
    const seen: string[] = [];
    for (const next of ["AUTOMATIC", "AUTOMATIC:nightly", "AUTOMATIC:Import_2", `${A}:77`, `${A}:Tag:3`]) {
      await connection.query("SET gtid_next = ?", [next]);
      await connection.query("CREATE DATABASE IF NOT EXISTS t");
      await connection.query("SET gtid_next = 'AUTOMATIC'");
      const bytes = await newestPreviousGtids();
      const set = GtidSet.decodeBinary(bytes);
      expect(set.toString()).toBe(await one("SELECT @@GLOBAL.gtid_executed", []));
      expect(set.encodeBinary().toString("hex")).toBe(bytes.toString("hex"));
      seen.push(set.toString());
    }
    expect(seen[0]).not.toContain("nightly");
    expect(seen.at(-1)).toContain(`${A}:77:tag:3`);
  });
});
