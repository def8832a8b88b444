import { expect, test, vi } from "vitest";
import { commandFate, type ServerSessions, watchAnswers } from "../../../src/mysql/answer-watch.ts";

const ASKED = { serverUuid: "here", threadId: 4 };
const OWN = { Id: "9", Command: "Query", State: "init" };

test.each([
  [{ Id: "4", Command: "Query", State: "altering table" }, "works", "it is worked on"],
  [{ Id: "4", Command: "Query", State: null }, "works", "what it does has no name"],
  [{ Id: "4", Command: "Query", State: "Sending to client" }, "waits", "its rows do not get through"],
  [{ Id: "4", Command: "Query", State: "Receiving from client" }, "waits", "our file does not get through"],
  [{ Id: "4", Command: "Sleep", State: "" }, "over", "it has been answered, or never came"],
  [{ Id: "5", Command: "Query", State: "" }, "over", "the session is gone"],
] as const)("a missing answer of a session that is %o: %s, because %s", (session, fate, _why) => {
  expect(commandFate({ serverUuid: "here", own: 9, sessions: [OWN, session] }, ASKED)).toBe(fate);
});

test("nothing is concluded where the numbers of sessions are not those of their logins", () => {
  expect(commandFate({ serverUuid: "here", own: 9, sessions: [{ ...OWN, Id: "8" }] }, ASKED)).toBe("works");
});

/** How many looks it takes until a connection is ended whose session is missed there; at most four are taken. */
async function looksUntilEnded(serverUuids: readonly string[]): Promise<number | undefined> {
  vi.useFakeTimers();
  try {
    let looks = 0;
    let endedAt: number | undefined;
    const connection = {
      ...ASKED,
      owedMs: 1000,
      closed: new Promise<string>(() => undefined),
      abandon: () => {
        endedAt ??= looks;
      },
    };
    const ask = async (): Promise<ServerSessions> => {
      const serverUuid = serverUuids[looks++ % serverUuids.length] ?? "";
      return { serverUuid, own: 9, sessions: [OWN] };
    };
    watchAnswers(connection, 100, ask);
    await vi.advanceTimersByTimeAsync(200);
    return endedAt;
  } finally {
    vi.useRealTimers();
  }
}

test("a session that another server does not know is not ended: the address has moved, and it works on", async () => {
  expect(await looksUntilEnded(["there"])).toBeUndefined();
  expect(await looksUntilEnded(["here", "there"])).toBeUndefined();
});

test("a session is ended only when it is missed twice", async () => {
  expect(await looksUntilEnded(["here"])).toBe(2);
});
