import { expect, test } from "vitest";
import { deferred } from "../../../src/base/deferred.ts";
import { proveAnew } from "../../../src/proxy/change-user.ts";
import type { Applicant } from "../../../src/proxy/client-login.ts";
import type { Session } from "../../../src/proxy/session.ts";

/** 1. Its server has closed an idle connection. 2. A hold is in force. 3. It changes its user, and goes. */
test("a change of user that waits for a hold to end is given up when its client goes", async () => {
  const gone = deferred<string>();
  let isGone = false;
  let logins = 0;
  const holdFree = (signal?: AbortSignal): Promise<void> =>
    new Promise((resolve) => signal?.addEventListener("abort", () => resolve()));
  const session = {
    ...{ loginBackend: "old", becomes: () => undefined, context: { traffic: { holdFree } } },
    client: {
      gone: gone.promise,
      get isGone() {
        return isGone;
      },
    },
    backends: {
      closeOthers: async () => undefined,
      open: async () => {
        logins += 1;
      },
    },
  } as unknown as Session;
  const proven = proveAnew(session, {} as Applicant, undefined);
  isGone = true;
  gone.resolve("it has closed");
  expect(await proven).toMatchObject({ refused: { errno: 2013 } });
  expect(logins).toBe(0);
}, 2000);
