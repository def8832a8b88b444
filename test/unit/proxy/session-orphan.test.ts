import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Session } from "../../../src/proxy/session.ts";
import { SessionOrphan } from "../../../src/proxy/session-orphan.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** 1. The session is ended. 2. All of it is gone at its servers. 3. Its client, which did not read, is cut off. */
test("a client that leaves after all else of its session keeps nothing of it", () => {
  const context = { limits: { orphanTimeoutMs: 60_000 } };
  const session = { busy: false, backends: { destroy: () => undefined }, context } as unknown as Session;
  const orphan = new SessionOrphan(session);
  orphan.end();
  orphan.begin();
  expect(vi.getTimerCount()).toBe(0);
});
