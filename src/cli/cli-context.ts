import type { Clock } from "../base/clock.ts";
import type { Config } from "../config/config.ts";
import type { Environment } from "../config/environment.ts";

/** What the commands need from outside; the entry point binds it to the process. */
export interface CliContext {
  readonly environment: Environment;
  readonly clock: Clock;
  readonly version: string;
  /** Results. */
  readonly out: (text: string) => void;
  /** Progress, notes and errors. */
  readonly err: (text: string) => void;
  /** Whether `err` goes to a terminal, and how wide it is. */
  readonly terminal: { readonly columns: number } | undefined;
  /** Aborts when somebody wants the command to end (Ctrl-C). */
  readonly signal: AbortSignal;
  /**
   * Runs `serve`, or a part of a fleet, until it ends; gives the exit code. `reread` reads the configuration again, from
   * where it came.
   */
  readonly serve: (
    kind: "serve" | "proxy" | "controller",
    config: Config,
    reread: () => Promise<Config>,
  ) => Promise<number>;
}

/** The options that every command takes. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly server?: string;
  readonly token?: string;
  readonly ca?: string;
  readonly config?: string;
}

export const DEFAULT_SERVER = "http://127.0.0.1:9930";
export const DEFAULT_CONFIG = "switchyard.yaml";
