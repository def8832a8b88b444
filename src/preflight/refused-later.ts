import { tableKey } from "../base/table-name.ts";
import type { NamesPart } from "../rules/rules-document.ts";
import { bothServers, type CheckContext } from "./check.ts";
import { type Finding, judge } from "./finding.ts";
import { DefinitionsOfServer } from "./read-behind.ts";
import type { ServerView } from "./server-view.ts";

/** Names of which it is not known what they touch: the migration may go on, and the proxy refuses them afterwards. */
export function refusedLater(
  id: string,
  server: ServerView,
  { observed, fix }: { readonly observed: string; readonly fix: string },
  severity: "warning",
): Finding {
  return judge(
    id,
    false,
    {
      subject: server.subject,
      observed,
      expected: "none: once tables live on another server, the proxy refuses with error 1235 what may touch any table",
      fix,
    },
    severity,
  );
}

/** Of which servers there is more behind names than the rules can keep. */
export async function tooManyBehind(
  context: CheckContext,
  id: string,
  parts: readonly NamesPart[],
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const server of bothServers(context)) {
    const { tooLarge = [] } = (await DefinitionsOfServer.of(server)).behind(context.tables.map(tableKey));
    const missing = parts.filter((part) => tooLarge.includes(part));
    if (missing.length === 0) continue;
    findings.push(
      refusedLater(
        id,
        server,
        {
          observed: `there are too many ${missing.join(" and ")} for the rules to list`,
          fix: "The gate of a switch will refuse it. Drop those that are not used any more, or move fewer tables.",
        },
        "warning",
      ),
    );
  }
  return findings;
}
