/**
 * Switchyard as the demo runs it: one process, or a fleet. Commands and the admin API reach it as they would reach it
 * from an operator's machine.
 */
export interface Deployment {
  /** For people. */
  readonly name: string;
  /** Ports of the proxies that applications connect to; one for each proxy. */
  readonly ports: readonly number[];
  /** The admin API. */
  readonly server: string;
  /** Why it is gone, if a process of it is. */
  readonly ended: string | undefined;
  /** Writes the configuration; after it, commands that need no running process may be run. */
  configure(): Promise<void>;
  /** Starts everything and waits until it serves. */
  start(): Promise<void>;
  /** Ends it as an operator would, and waits. */
  stop(): Promise<void>;
  /** Runs a command and gives the JSON object that it prints. @throws {CommandFailed} */
  json(args: readonly string[]): Promise<Record<string, unknown>>;
  /** Runs a command and gives what it prints. @throws {CommandFailed} */
  text(args: readonly string[]): Promise<string>;
  /** A page of the admin API; `undefined` while it does not answer. */
  get<T>(path: string): Promise<T | undefined>;
  /** The end of its logs. */
  logTail(): string;
}
