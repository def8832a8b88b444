import { randomUUID } from "node:crypto";
import type { SwitchPorts } from "../cutover/ports.ts";
import { readRules } from "../rules/rules-store.ts";
import { gateCanary } from "./gate-canary.ts";
import { gatePreflight } from "./gate-preflight.ts";
import { openHome } from "./homes.ts";
import type { MigrationRunner } from "./migration-runner.ts";
import { readBehind } from "./names-behind.ts";

/** What a switch of this migration works with; `progress` hears each step. */
export function switchPorts(runner: MigrationRunner, progress: (line: string) => void): SwitchPorts {
  const { context } = runner;
  return {
    clock: context.clock,
    log: context.log,
    failpoint: context.failpoint,
    store: context.store,
    leadership: context.leadership,
    home: (backend) => openHome(context, runner.document, backend),
    stream: (direction) => runner.keepers[direction],
    extraGateChecks: async (ends) => {
      const findings = await Promise.all([
        gatePreflight(context, ends, runner.document.mappings),
        gateCanary(context, ends),
      ]);
      return findings.flat();
    },
    namesBehind: async (ends) => {
      const { rules } = await readRules(context.store);
      return await readBehind(context, [ends.oldHome, ends.newHome], rules);
    },
    diffIsOpen: () => runner.diff !== undefined,
    newToken: () => randomUUID(),
    progress,
    signal: context.signal,
  };
}
