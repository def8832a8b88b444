import { SwitchyardError } from "../base/errors.ts";
import type { Config } from "../config/config.ts";
import type { ChildRole } from "./child-messages.ts";

/** What a primary process was started as: everything on one machine, or one part of a fleet. */
export type ProcessKind = "serve" | "proxy" | "controller";

/** A child that a primary keeps running. */
export interface ChildPlan {
  readonly role: ChildRole;
  readonly name: string;
}

/** The children of a process. */
export function plannedChildren(kind: ProcessKind, config: Config): readonly ChildPlan[] {
  const controller: ChildPlan = { role: "controller", name: "controller" };
  const proxies = Array.from(
    { length: config.workers },
    (_, index): ChildPlan => ({ role: "proxy", name: `proxy-${index + 1}` }),
  );
  switch (kind) {
    case "serve":
      return [...proxies, controller];
    case "proxy":
      return proxies;
    case "controller":
      return [controller];
  }
}

/**
 * A part of a fleet meets the others in a store that all of them reach.
 *
 * @throws {SwitchyardError} `CONFIG_STORE_NOT_SHARED`
 */
export function checkStore(kind: ProcessKind, config: Config): void {
  if (kind === "serve" || config.store.kind === "etcd") return;
  throw new SwitchyardError("CONFIG_STORE_NOT_SHARED", {
    what: `\`switchyard ${kind}\` needs a store that other processes can reach, and the configuration says \`store: embedded\``,
    changed: "Nothing was started.",
    fix: 'Name an etcd under `store:`, for example `store: { etcd: { endpoints: ["http://etcd-1:2379"] } }`, or run `switchyard serve`.',
  });
}
