import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { Config } from "../config/config.ts";
import { configChanges } from "../config/config-changes.ts";

export interface ReloadOptions {
  /** Reads and checks the configuration again, from where it came. */
  readonly read: () => Promise<Config>;
  readonly running: Config;
  /** Puts in force what may change; called with nothing changed elsewhere. */
  readonly apply: (config: Config) => void;
  readonly log: Logger;
}

/**
 * Answers SIGHUP one at a time: reads the configuration again and puts in force what may change. One that cannot be used
 * changes nothing. Gives a function that stops answering.
 */
export function reloadOnHangup(options: ReloadOptions): () => void {
  let running = options.running;
  let tail: Promise<void> = Promise.resolve();
  const onHangup = (): void => {
    tail = tail.then(async () => {
      running = await reload(options, running);
    });
  };
  process.on("SIGHUP", onHangup);
  return () => void process.off("SIGHUP", onHangup);
}

async function reload({ read, apply, log }: ReloadOptions, running: Config): Promise<Config> {
  try {
    const { config, reloaded, kept } = configChanges(running, await read());
    if (kept.length > 0) {
      log.warn(
        { keys: kept },
        "these keys of the configuration have changed and stay as they were until the next start",
      );
    }
    apply(config);
    log.info({ keys: reloaded }, "the configuration was read again");
    return config;
  } catch (error) {
    log.error({ error: messageOf(error) }, "the configuration was read again and cannot be used; nothing has changed");
    return running;
  }
}
