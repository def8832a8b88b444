import { messageOf, SwitchyardError } from "../base/errors.ts";
import { fitting } from "../rules/behind-limits.ts";
import type { RulesDocument } from "../rules/rules-document.ts";
import { homeOf } from "../rules/rules-edits.ts";
import { proxyFindings } from "./gate-proxies.ts";
import { serverFindings } from "./gate-servers.ts";
import { diffFinding, streamFindings } from "./gate-stream.ts";
import type { SwitchState } from "./journal.ts";
import type { GateFinding, SwitchEnds, SwitchPorts } from "./ports.ts";
import type { FenceKind, Insistence, SwitchLimits } from "./switch-options.ts";

/** What the gate looks at. */
export interface GateContext {
  readonly ports: SwitchPorts;
  readonly ends: SwitchEnds;
  readonly limits: SwitchLimits;
  readonly openTransactions: Insistence;
  readonly fence: FenceKind;
  readonly state: SwitchState;
}

/** Makes every check of the gate. Nothing is changed but rows of the sidecar; the findings say what a switch would meet. */
export async function runGate(given: GateContext): Promise<readonly GateFinding[]> {
  const context = await withNames(given);
  const groups = await Promise.all([
    streamFindings(context),
    proxyFindings(context),
    serverFindings(context),
    context.ports.extraGateChecks?.(context.ends) ?? Promise.resolve([]),
  ]);
  const rules = context.state.rules.document;
  return [
    ...homeFinding(rules, context.ends),
    ...fenceFinding(context),
    ...namesFindings(rules),
    ...diffFinding(context),
    ...groups.flat(),
  ];
}

/** The rules as they would be once armed: with what the two servers have behind names now. */
async function withNames(context: GateContext): Promise<GateContext> {
  const { ports, ends, state } = context;
  try {
    const behind = await ports.namesBehind?.(ends);
    const document = { ...state.rules.document, behind: fitting({ ...state.rules.document.behind, ...behind }) };
    return { ...context, state: { ...state, rules: { ...state.rules, document } } };
  } catch (error) {
    // That a server does not answer is a finding of its own.
    ports.log.warn({ error: messageOf(error) }, "the servers could not be asked for their views and routines");
    return context;
  }
}

/** The findings that stand in the way; a reason given with `--force` lets those pass that allow it. */
export function refusals(findings: readonly GateFinding[], force: string | undefined): readonly GateFinding[] {
  return findings.filter((finding) => !finding.ok && !(force !== undefined && finding.forceable === true));
}

/** The error of a switch that the gate refuses. */
export function gateRefused(ends: SwitchEnds, findings: readonly GateFinding[]): SwitchyardError {
  return new SwitchyardError("CUTOVER_GATE_REFUSED", {
    what: `migration "${ends.migration}" cannot ${ends.kind}: ${findings.map((finding) => finding.title).join("; ")}`,
    details: findings.map((f) => `${f.id}: ${f.observed}; expected ${f.expected}. ${f.fix}`),
    changed: `Nothing was changed; writes go to ${ends.oldHome}.`,
  });
}

function homeFinding(rules: RulesDocument, ends: SwitchEnds): readonly GateFinding[] {
  const elsewhere = ends.tables.filter((table) => homeOf(rules, table) !== ends.oldHome);
  return [
    {
      id: "tables-at-home",
      ok: elsewhere.length === 0,
      title: "the rules send the tables to the old home",
      observed: elsewhere.map((table) => `${table} is at home on ${homeOf(rules, table)}`).join(", ") || "they do",
      expected: `every table at home on ${ends.oldHome}`,
      fix: "`switchyard rules show` has all routing.",
    },
  ];
}

/** Proxies keep their own clients safe; only the old home itself keeps out who comes past them. */
function fenceFinding({ ends, fence }: GateContext): readonly GateFinding[] {
  if (fence !== "none") return [];
  return [
    {
      id: "fence",
      ok: false,
      title: `${ends.oldHome} itself refuses writes while the tables move`,
      observed:
        `--fence=none: writes past the proxies go on there until after the swap; those that come too late are not on ${ends.newHome}, ` +
        "and are shown as strays",
      expected: "--fence=lock, or lock-read beside readers that stay",
      fix: "Leave --fence=none out. With --force nothing keeps such writes from being lost but that nobody makes them.",
      forceable: true,
    },
  ];
}

/** What the rules cannot list of a server is refused once tables live on several. */
function namesFindings(rules: RulesDocument): readonly GateFinding[] {
  return Object.entries(rules.behind ?? {}).flatMap(([backend, { tooLarge = [] }]) =>
    tooLarge.length === 0
      ? []
      : [
          {
            id: "names-behind",
            ok: false,
            title: `the rules cannot list all ${tooLarge.join(", ")} of ${backend}`,
            observed: `there are too many ${tooLarge.join(", ")} on ${backend}`,
            expected: "so many that the rules can list them: the proxy refuses what may use any table",
            fix: "Drop those that are not used any more. With --force, statements that use them get error 1235 after the switch.",
            forceable: true,
          },
        ],
  );
}
