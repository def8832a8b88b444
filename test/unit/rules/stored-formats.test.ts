import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EmbeddedStore } from "../../../src/store/embedded-store.ts";
import { QUIET, storedFormats } from "./stored-formats.ts";

storedFormats("the embedded store", async () => {
  const directory = await mkdtemp(join(tmpdir(), "switchyard-formats-"));
  const store = await EmbeddedStore.open({ directory, ...QUIET });
  return {
    store,
    end: async () => {
      await store.close();
      await rm(directory, { recursive: true });
    },
  };
});
