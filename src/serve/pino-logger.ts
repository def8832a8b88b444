import { pino } from "pino";
import { PinoPretty } from "pino-pretty";
import type { LogFields, Logger } from "../base/logger.ts";
import type { LogConfig, LogLevel } from "../config/config.ts";

/** Names under which a secret might be handed to a log line; the layers hand none, this is the second lock. */
const SECRETS = ["password", "authorization", "sha256", "secret", "privateKey"];
const REDACTED = SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

const RANKS: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** A logger whose level can be changed, for itself and for all that were made from it. */
export interface ProcessLogger extends Logger {
  setLevel(level: LogLevel): void;
}

/** Logs to stderr: JSON lines, or for people where that is a terminal. Lines are written at once, so none is lost. */
export function createLogger(config: LogConfig, fields: LogFields): ProcessLogger {
  const gate = { rank: RANKS[config.level] };
  const setLevel = (level: LogLevel): void => {
    gate.rank = RANKS[level];
  };
  return { ...wrap(createPino(config, fields), gate), setLevel };
}

function createPino(config: LogConfig, fields: LogFields): PinoLike {
  const pretty = config.format === "pretty" || (config.format === "auto" && process.stderr.isTTY);
  const options = {
    // The gate in front decides; loggers made by pino would keep the level of their making.
    level: "debug",
    base: { ...fields },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: REDACTED, censor: "[secret]" },
  };
  if (!pretty) return pino(options, pino.destination({ dest: 2, sync: true }));
  const stream = PinoPretty({ destination: 2, sync: true, ignore: "pid,hostname", translateTime: "HH:MM:ss.l" });
  return pino(options, stream);
}

/** The part of pino that is used. */
interface PinoLike {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): PinoLike;
}

function wrap(log: PinoLike, gate: { readonly rank: number }): Logger {
  const writer = (level: LogLevel) => (fields: LogFields, message: string) => {
    if (RANKS[level] >= gate.rank) log[level](fields, message);
  };
  return {
    debug: writer("debug"),
    info: writer("info"),
    warn: writer("warn"),
    error: writer("error"),
    child: (fields) => wrap(log.child(fields), gate),
  };
}
