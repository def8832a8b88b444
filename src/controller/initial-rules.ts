import { SwitchyardError } from "../base/errors.ts";
import { presentName } from "../rules/rules-edits.ts";
import { ensureRules as ensureStoredRules } from "../rules/rules-store.ts";
import type { ControllerBase } from "./controller-context.ts";

/**
 * Makes sure that there are rules, and that they and the configuration agree on the default backend.
 *
 * @throws {SwitchyardError} `CONFIG_DEFAULT_CHANGED`
 */
export async function ensureRules(context: Pick<ControllerBase, "store" | "defaultBackend">): Promise<void> {
  const { rules } = await ensureStoredRules(context.store, context.defaultBackend);
  if (rules.default === presentName(rules, context.defaultBackend)) return;
  throw new SwitchyardError("CONFIG_DEFAULT_CHANGED", {
    what: `default: is "${context.defaultBackend}" in the configuration, and "${rules.default}" in the stored rules`,
    changed: "Nothing was changed.",
    fix: `Set default: ${rules.default} in the configuration, or start with another data directory.`,
  });
}
