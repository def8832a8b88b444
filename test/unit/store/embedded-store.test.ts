import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { EmbeddedStore } from "../../../src/store/embedded-store.ts";
import { storeConformance } from "./conformance.ts";

storeConformance("the embedded store in memory", async () => {
  const store = await EmbeddedStore.open({ directory: undefined, clock: systemClock, log: silentLogger });
  return { store, end: () => store.close() };
});

storeConformance("the embedded store on disk", async () => {
  const directory = await mkdtemp(join(tmpdir(), "switchyard-store-"));
  const store = await EmbeddedStore.open({ directory, clock: systemClock, log: silentLogger });
  return {
    store,
    async end() {
      await store.close();
      await rm(directory, { recursive: true });
    },
  };
});

storeConformance("the embedded store that compacts all the time", async () => {
  const directory = await mkdtemp(join(tmpdir(), "switchyard-store-"));
  const store = await EmbeddedStore.open({
    directory,
    clock: systemClock,
    log: silentLogger,
    journalBytesMax: 1,
  });
  return {
    store,
    async end() {
      await store.close();
      await rm(directory, { recursive: true });
    },
  };
});
