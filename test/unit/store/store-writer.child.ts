import { writeSync } from "node:fs";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { EmbeddedStore } from "../../../src/store/embedded-store.ts";

/** Writes growing numbers to two keys, several transactions under way at once, and prints each once it is acknowledged. */
const store = await EmbeddedStore.open({
  directory: process.argv[2],
  clock: systemClock,
  log: silentLogger,
  journalBytesMax: 3000,
});
let next = Number((await store.get("/left"))?.value ?? -1) + 1;
for (;;) {
  const batch = Array.from({ length: 5 }, async () => {
    const value = String(next++);
    await store.transact(
      [],
      [
        { put: "/left", value },
        { put: "/right", value },
      ],
    );
    writeSync(1, `${value}\n`);
  });
  await Promise.all(batch);
}
