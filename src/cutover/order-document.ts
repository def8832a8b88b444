/** What an operator may ask the leading controller to do. */
export const ORDER_COMMANDS = [
  "migration-create",
  "migration-pause",
  "migration-resume",
  "migration-tune",
  "migration-repoint",
  "migration-cancel",
  "migration-complete",
  "diff-start",
  "diff-stop",
  "diff-repair",
  "switch",
  "rollback",
  "proxy-forget",
] as const;

export type OrderCommand = (typeof ORDER_COMMANDS)[number];

/**
 * A request under {@link ORDERS_PREFIX} + id, written by an admin API as `pending` and from then on by the leading
 * controller alone.
 */
export interface OrderDocument {
  readonly format: 1;
  readonly id: string;
  readonly command: OrderCommand;
  /** Name of the migration; empty for an order that concerns none. */
  readonly migration: string;
  /** Arguments as the command defines them. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly who: string;
  readonly reason?: string;
  readonly at: string;
  readonly state: "pending" | "running" | "done" | "failed";
  /** Steps done so far, for the terminal; at most 200. */
  readonly steps: readonly string[];
  /** Where done: what the command reports. */
  readonly result?: Readonly<Record<string, unknown>>;
  /** Where failed. */
  readonly error?: { readonly code: string; readonly message: string; readonly exit: number };
}
