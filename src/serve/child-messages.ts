import type { Config } from "../config/config.ts";
import type { MetricsSnapshot } from "../metrics/registry.ts";
import type { TransportedError } from "../store/ipc-messages.ts";

/** What a child process does. */
export type ChildRole = "proxy" | "controller";

/** Topic of the messages below, on the channel that the store shares. */
export const CONTROL_TOPIC = "control";
export const STORE_TOPIC = "store";

/** What a child must know to begin. It comes by message, so that no secret is in its arguments or environment. */
export interface ChildStart {
  readonly role: ChildRole;
  /** `controller`, `proxy-1`, … */
  readonly name: string;
  readonly config: Config;
  readonly version: string;
}

export type ToChild =
  | { readonly kind: "start"; readonly start: ChildStart }
  | { readonly kind: "stop" }
  /** Another configuration, of which a child puts in force what may change while it runs. */
  | { readonly kind: "config"; readonly config: Config }
  | { readonly kind: "metrics"; readonly id: number };

export type ToPrimary =
  /** The child listens for messages. */
  | { readonly kind: "ready" }
  /** It does what it is for; a proxy can take clients. */
  | { readonly kind: "started" }
  /** It cannot begin, and says why before it ends. */
  | { readonly kind: "failed"; readonly error: TransportedError }
  | { readonly kind: "metrics"; readonly id: number; readonly snapshot: MetricsSnapshot };
