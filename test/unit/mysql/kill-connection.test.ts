import { expect, test } from "vitest";
import { COMMITTING, type KillingSession, killConnection } from "../../../src/mysql/kill-connection.ts";
import { commitsStandStill } from "../../../src/mysql/standstill.ts";

type Row = Readonly<Record<string, string | null>>;

/** A server whose sessions are in this state, and what was sent to it. */
function server(state: string | undefined): KillingSession & { readonly sent: string[] } {
  const sent: string[] = [];
  return {
    sent,
    rows: (sql) => {
      sent.push(sql);
      if (sql.startsWith("KILL")) return Promise.resolve([]);
      if (state === undefined) return Promise.reject(new Error("Table 'performance_schema.processlist' doesn't exist"));
      return Promise.resolve([{ state }]);
    },
  };
}

const kills = ({ sent }: { readonly sent: readonly string[] }): readonly string[] =>
  sent.filter((sql) => sql.startsWith("KILL"));

// The server would stop itself: test/soak/unhappy-disks.test.ts.
test("a session whose commit is being written is not KILLed, nor its statement", async () => {
  const one = server(COMMITTING);
  expect(await killConnection(one, "7")).toBe(false);
  expect(await killConnection(one, "7", "QUERY")).toBe(false);
  expect(kills(one)).toEqual([]);
});

test.each([
  ["that does something else", "executing"],
  ["of a server that does not tell", undefined],
])("a session %s is KILLed", async (_, state) => {
  const one = server(state);
  expect(await killConnection(one, "7")).toBe(true);
  expect(kills(one)).toEqual(["KILL CONNECTION 7"]);
});

const SAID =
  "Disk is full writing '/logs/binlog.000001' (OS errno 28 - No space left on device). Waiting for someone to free space... Retry in 60 secs.";

test.each<[string, Row, readonly Row[] | undefined, string | undefined]>([
  ["none that stands", { sessions: "0", seconds: null }, [{ data: SAID }], undefined],
  ["one of two seconds, of which the server says nothing", { sessions: "1", seconds: "2" }, [], undefined],
  [
    "one of two seconds on a full disk",
    { sessions: "1", seconds: "2" },
    [{ data: SAID }],
    "1 commit has stood still for 2 s: Disk is full writing '/logs/binlog.000001' (OS errno 28 - No space left on device)",
  ],
  [
    "two of nine seconds on a server that does not show its log",
    { sessions: "2", seconds: "9" },
    undefined,
    "2 commits have stood still for 9 s",
  ],
])("commits: %s", async (_, row, said, expected) => {
  const rows = (sql: string): Promise<readonly Row[]> => {
    if (!sql.includes("error_log")) return Promise.resolve([row]);
    return said === undefined ? Promise.reject(new Error("no such table")) : Promise.resolve(said);
  };
  expect(await commitsStandStill({ rows })).toBe(expected);
});
