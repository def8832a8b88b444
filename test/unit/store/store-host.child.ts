import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { EmbeddedStore } from "../../../src/store/embedded-store.ts";
import { serveStore } from "../../../src/store/ipc-store-server.ts";
import { type MessageProcess, processChannel } from "../../../src/store/message-channel.ts";

/** A process that hosts a store in memory for its parent. */
const store = await EmbeddedStore.open({ directory: undefined, clock: systemClock, log: silentLogger });
serveStore(store, processChannel(process as MessageProcess, "store"), silentLogger);
