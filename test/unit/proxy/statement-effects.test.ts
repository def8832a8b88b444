import { describe, expect, test } from "vitest";
import { executeRefused } from "../../../src/proxy/prepared-commands.ts";
import { PreparedStatement } from "../../../src/proxy/prepared-statement.ts";
import type { Session } from "../../../src/proxy/session.ts";
import type { SessionBackend } from "../../../src/proxy/session-backends.ts";
import { SessionPins } from "../../../src/proxy/session-pins.ts";
import { SessionSettings } from "../../../src/proxy/session-settings.ts";
import type { SessionState } from "../../../src/proxy/session-state.ts";
import { applyEffects } from "../../../src/proxy/statement-effects.ts";
import { homesToAsk } from "../../../src/proxy/xa-command.ts";
import { analyzeSql } from "../../../src/sql/classifier.ts";
import { COM } from "../../../src/wire/capabilities.ts";

const MODES = { ansiQuotes: false, noBackslashEscapes: false };
const MEANING = { schema: undefined, reading: { parsedBy: MODES, sqlMode: "", modes: "", charset: "" } };

interface Kept {
  readonly pins: SessionPins;
  readonly settings: SessionSettings;
  readonly reasons: () => readonly string[];
  readonly run: (text: string) => Promise<void>;
}

/** What a session keeps of statements that one backend has carried out. */
function session(settingsMax = 20, asked: string[] = []): Kept {
  const pins = new SessionPins();
  const settings = new SessionSettings(settingsMax, MODES);
  const query = async (sql: string): Promise<unknown> => {
    asked.push(sql);
    return { rows: [["ANSI_QUOTES"]], error: undefined };
  };
  const backend = { name: "old", settings: 0, connection: { query } } as unknown as SessionBackend;
  const prepared = { textPrepared: new Map(), preparedFull: true, names: {} };
  const state = { pins, settings, ...prepared } as unknown as SessionState;
  const run = async (text: string): Promise<void> => {
    const bytes = Buffer.from(text);
    for (const facts of analyzeSql(bytes, settings.modes)) await applyEffects(state, facts, bytes, backend);
  };
  return { pins, settings, run, reasons: () => [...pins.all].map(({ reason }) => reason) };
}

describe("a user variable that cannot be carried", () => {
  test("pins whatever variables are assigned after it", async () => {
    const { run, reasons } = session();
    await run("SELECT @`ä` := 1");
    await run("SELECT @b := 2");
    await run("SET @b = 3");
    expect(reasons()).toEqual(["the name of its user variable @ä is not of ASCII"]);
  });

  test("because there are too many, pins whatever variables are assigned after it", async () => {
    const { run, reasons } = session(2);
    await run("SELECT @v1 := 1, @v2 := 1, @v3 := 1");
    await run("SELECT @v1 := 2");
    await run("SET @v1 = 3");
    expect(reasons()).toEqual(["more than 2 settings"]);
  });
});

test("statements prepared within a text of several, beyond the limit, are one reason to stay and are not kept", async () => {
  const { run, reasons } = session();
  await run("PREPARE a FROM 'SELECT 1'; PREPARE b FROM 'SELECT 2'");
  expect(reasons()).toEqual(["it has statements prepared by PREPARE"]);
});

describe("a SET of many variables", () => {
  const many = (name: (at: number) => string): string =>
    `SET ${Array.from({ length: 20_000 }, (_, at) => `${name(at)} = 1`).join(", ")}`;

  test.each([
    ["more than are kept", (at: number) => `@v${at}`],
    ["names that are not of ASCII", (at: number) => `@\`ä${at}\``],
  ])("is one reason to stay and takes no time of other sessions: %s", async (_, name) => {
    const { run, pins, settings } = session(200);
    const text = many(name);
    const began = performance.now();
    await run(text);
    expect(performance.now() - began).toBeLessThan(3000);
    expect(pins.size).toBe(1);
    expect(settings.since(0).length).toBeLessThanOrEqual(200);
  });

  test("asks the server once for the value of each", async () => {
    const asked: string[] = [];
    const { run } = session(200, asked);
    await run("SET sql_mode = DEFAULT, @a = 1, sql_mode = CONCAT(@@sql_mode, ''), sql_mode = DEFAULT");
    expect(asked).toEqual(["SELECT @@SESSION.`sql_mode` LIMIT 1"]);
  });

  test("reads its literals as they were read before any of it was carried out", async () => {
    const { run, settings } = session();
    await run(`SET @a = "x", @b = 'y', @c = 1, sql_mode = 'ANSI_QUOTES'`);
    expect(settings.unreadElsewhere("new")?.names).toEqual(["a"]);
  });
});

test("a distributed transaction is looked for where it was prepared, then where no login is needed", () => {
  const backends = new Map([["b", {}]]);
  const one = { backends, state: { routing: { homes: ["a", "b", "c"] } } } as unknown as Session;
  expect([homesToAsk(one, undefined), homesToAsk(one, "c")]).toEqual([
    ["b", "a", "c"],
    ["c", "b", "a"],
  ]);
});

test("values sent ahead of an execute that is refused in another's place are forgotten", () => {
  const [one, other] = [1, 2].map((id) => new PreparedStatement(id, Buffer.from("DO ?"), MEANING, 1));
  if (one === undefined || other === undefined) throw new Error("two were made");
  for (const { longData } of [one, other]) longData.set(0, [Buffer.from("abc")]);
  const state = { prepared: new Map([one, other].map((each) => [each.id, each])), longDataBytes: 6 };
  executeRefused({ state } as unknown as Session, Buffer.from([COM.STMT_EXECUTE, 1, 0, 0, 0, 0]));
  expect([one.longData.size, other.longData.size, state.longDataBytes]).toEqual([0, 1, 3]);
});
