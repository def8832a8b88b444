import { expect, test } from "vitest";
import { commandFate } from "../../../src/mysql/answer-watch.ts";

const OWN = { Id: "9", Command: "Query", State: "init" };

test.each([
  [{ Id: "4", Command: "Query", State: "altering table" }, "works", "it is worked on"],
  [{ Id: "4", Command: "Query", State: null }, "works", "what it does has no name"],
  [{ Id: "4", Command: "Query", State: "Sending to client" }, "waits", "its rows do not get through"],
  [{ Id: "4", Command: "Query", State: "Receiving from client" }, "waits", "our file does not get through"],
  [{ Id: "4", Command: "Sleep", State: "" }, "over", "it has been answered, or never came"],
  [{ Id: "5", Command: "Query", State: "" }, "over", "the session is gone"],
] as const)("a missing answer of a session that is %o: %s, because %s", (session, fate, _why) => {
  expect(commandFate({ own: 9, sessions: [OWN, session] }, 4)).toBe(fate);
});

test("nothing is concluded where the numbers of sessions are not those of their logins", () => {
  expect(commandFate({ own: 9, sessions: [{ ...OWN, Id: "8" }] }, 4)).toBe("works");
});
