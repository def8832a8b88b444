import { SwitchyardError } from "../base/errors.ts";
import type { AdminClient, ReadOrder } from "./admin-client.ts";
import type { ProgressView } from "./progress.ts";
import { RemoteError } from "./remote-error.ts";

const WAIT_MS = 10_000;
/** How often live progress is looked at while an order runs. */
const WATCH_MS = 500;

export interface FollowOptions {
  readonly client: AdminClient;
  readonly view: ProgressView;
  readonly signal: AbortSignal;
  /** Called now and then while the order is under way. */
  readonly watch?: () => Promise<void>;
}

/**
 * Waits until an order is done, telling each step as it happens, and gives what it reports.
 *
 * @throws {RemoteError} the order's own error. {SwitchyardError} `CLI_OUTCOME_UNKNOWN` where the wait ends before the
 *   order does, also by Ctrl-C: the order goes on.
 */
export async function followOrder(
  placed: ReadOrder,
  options: FollowOptions,
): Promise<Readonly<Record<string, unknown>>> {
  const { client, view, signal } = options;
  let { order, revision } = placed;
  let told = 0;
  try {
    for (;;) {
      for (const step of order.steps.slice(told)) view.say(step);
      told = order.steps.length;
      if (order.state === "done") return order.result ?? {};
      if (order.state === "failed") throw failure(order);
      ({ order, revision } = await client.follow(order.id, revision, options.watch === undefined ? WAIT_MS : WATCH_MS));
      await options.watch?.();
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new SwitchyardError("CLI_OUTCOME_UNKNOWN", {
      what: `the command was interrupted; order ${order.id} (${`${order.command} ${order.migration}`.trim()}) goes on without it`,
      fix: `\`switchyard ${order.migration === "" ? "proxies list" : `migration status ${order.migration}`}\` shows how it goes.`,
      cause: error,
    });
  } finally {
    view.clear();
  }
}

function failure(order: ReadOrder["order"]): RemoteError {
  return new RemoteError(
    order.error ?? { code: "INTERNAL_INVARIANT", message: `order ${order.id} failed and does not say why`, exit: 1 },
  );
}
