import { pino } from "pino";
import { PinoPretty } from "pino-pretty";
import type { LogFields, Logger } from "../base/logger.ts";
import type { LogConfig } from "../config/config.ts";

/** Names under which a secret might be handed to a log line; the layers hand none, this is the second lock. */
const SECRETS = ["password", "authorization", "sha256", "secret", "privateKey"];
const REDACTED = SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

/** Logs to stderr: JSON lines, or for people where that is a terminal. Lines are written at once, so none is lost. */
export function createLogger(config: LogConfig, fields: LogFields): Logger {
  const pretty = config.format === "pretty" || (config.format === "auto" && process.stderr.isTTY);
  const options = {
    level: config.level,
    base: { ...fields },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: REDACTED, censor: "[secret]" },
  };
  if (!pretty) return wrap(pino(options, pino.destination({ dest: 2, sync: true })));
  const stream = PinoPretty({ destination: 2, sync: true, ignore: "pid,hostname", translateTime: "HH:MM:ss.l" });
  return wrap(pino(options, stream));
}

/** The part of pino that is used. */
interface PinoLike {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): PinoLike;
}

function wrap(log: PinoLike): Logger {
  return {
    debug: (fields, message) => log.debug(fields, message),
    info: (fields, message) => log.info(fields, message),
    warn: (fields, message) => log.warn(fields, message),
    error: (fields, message) => log.error(fields, message),
    child: (fields) => wrap(log.child(fields)),
  };
}
