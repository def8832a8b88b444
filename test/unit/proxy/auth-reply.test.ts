import { expect, test } from "vitest";
import { AuthAnswers } from "../../../src/mysql/auth-answers.ts";
import { AuthReply } from "../../../src/proxy/auth-reply.ts";
import { COM } from "../../../src/wire/capabilities.ts";
import { buildErr } from "../../../src/wire/err-packet.ts";
import { frame } from "../../../src/wire/packet-writer.ts";
import { ReplyTracker } from "../../../src/wire/reply-tracker.ts";

test("a change to a user of several factors is refused by name, and what the server asks for is not answered", async () => {
  const tracker = new ReplyTracker(0);
  tracker.start(COM.CHANGE_USER);
  const sent: [string, number][] = [];
  const answers = new AuthAnswers({ server: "old", user: "u", password: Buffer.from("p"), private: true });
  const reply = new AuthReply(tracker, answers, (payload, sequence) => sent.push([payload.toString(), sequence]));
  expect(reply.take(frame(Buffer.from("\x02authentication_webauthn\0challenge"), 3))).toBe(false);
  expect(sent).toEqual([["", 4]]);
  const denied = { errno: 1045, sqlState: "28000", message: "Access denied" };
  expect(reply.take(frame(buildErr(denied), 5))).toBe(true);
  reply.finish();
  expect((await reply.end).error).toMatchObject({ errno: 1251, message: expect.stringContaining("several") });
});
