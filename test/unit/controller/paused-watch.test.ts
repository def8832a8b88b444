import { expect, test, vi } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { deferred } from "../../../src/base/deferred.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import type { ControllerContext } from "../../../src/controller/controller-context.ts";
import { PausedWatch } from "../../../src/controller/paused-watch.ts";
import { Connection } from "../../../src/mysql/connection.ts";

test("a home that has frozen while it was asked does not hold up the end of the watch", async () => {
  const asked = deferred<void>();
  const cut = deferred<never>();
  const frozen = {
    rows: () => {
      asked.resolve(undefined);
      return cut.promise;
    },
    destroy: () => cut.reject(new Error("cut by us")),
    close: async () => undefined,
  };
  const connect = vi.spyOn(Connection, "connect").mockResolvedValue(frozen as unknown as Connection);
  try {
    const context = { clock: systemClock, log: silentLogger, backends: { home: {} } };
    const watch = new PausedWatch(context as unknown as ControllerContext);
    watch.look({ by: "me", reason: "why", at: new Date().toISOString() }, "home");
    await asked.promise;
    await watch.close();
    // A server that never answers the login is given up as well.
    expect(connect.mock.calls[0]?.[1]?.signal?.aborted).toBe(true);
  } finally {
    connect.mockRestore();
  }
}, 2000);
