import { parseTableKey } from "../base/table-name.ts";
import type { GateFinding, SwitchEnds } from "../cutover/ports.ts";
import type { Finding } from "../preflight/finding.ts";
import { runPreflight } from "../preflight/run-preflight.ts";
import type { TableMappings } from "../table/table-mapping.ts";
import { type ControllerContext, endpointOf } from "./controller-context.ts";

/**
 * What preflight says of both servers now, as checks of the gate: a server may have been restarted with other settings
 * since the migration began, an account dropped, a transaction prepared. Warnings do not stand in the way.
 */
export async function gatePreflight(
  context: ControllerContext,
  ends: SwitchEnds,
  mappings?: TableMappings,
): Promise<readonly GateFinding[]> {
  const findings = await runPreflight({
    source: { endpoint: endpointOf(context, ends.oldHome) },
    target: { endpoint: endpointOf(context, ends.newHome) },
    tables: ends.tables.map(parseTableKey),
    targetTables: "present",
    ...(mappings === undefined ? {} : { mappings, backwards: ends.kind === "rollback" }),
  });
  const errors = findings.filter(({ severity }) => severity === "error");
  if (errors.length > 0) return errors.map(refusal);
  // What may stop the way back is to be known before it is needed.
  const narrow = findings.filter(({ id, severity }) => id === "mapping" && severity === "warning");
  const narrowings = narrow.map(({ subject, observed }) => `; ${subject}: ${observed}`).join("");
  return [
    {
      id: "preflight",
      ok: true,
      title: "preflight finds nothing against it",
      observed: `${findings.length} findings, no error${narrowings}`,
      expected: "no error",
      fix: "",
    },
  ];
}

function refusal(finding: Finding): GateFinding {
  return {
    id: `preflight-${finding.id}`,
    ok: false,
    title: `preflight: ${finding.id} of ${finding.subject}`,
    observed: finding.observed,
    expected: finding.expected,
    fix: finding.fix,
  };
}
