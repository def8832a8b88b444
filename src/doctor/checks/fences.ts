import { parseTableKey } from "../../base/table-name.ts";
import type { Facts, FoundTrigger, ServerFacts } from "../facts.ts";
import { type DoctorFinding, found, type OnServer, type Repair } from "../finding.ts";
import { answerOf, hasMoved, isProven, type Standing } from "../standing.ts";

const WHOLE = 3;

/** The triggers of migrations on one server against where their tables live. */
export function fenceFindings(facts: Facts, one: Standing): readonly DoctorFinding[] {
  if (one.attempt !== "none") return [];
  const { homeServer, otherServer } = one;
  return [
    ...(homeServer === undefined ? [] : onHome(one, homeServer)),
    ...(otherServer === undefined || one.ended ? [] : onOther(facts, one, otherServer)),
  ];
}

function onHome(one: Standing, server: ServerFacts): readonly DoctorFinding[] {
  const { journal, home } = one;
  const ours = ofMigration(server, one.journal.id);
  const fences = ours.filter(({ kind, table }) => kind === "fence" && journal.tables.includes(table));
  const tables = tablesOf(fences);
  const findings: DoctorFinding[] = [];
  if (tables.length > 0) {
    findings.push(
      found("fence-on-home", {
        subject: `migration ${journal.id} on ${home}`,
        observed: `triggers on ${tables.join(", ")} that refuse writes, of attempt ${tokensOf(fences)}`,
        expected: `none: ${home} is the tables' home by rules and journal`,
        advice: `Triggers of Switchyard are put up only where tables have left. If store and ${one.other} were both restored, they may be all that shows it: find out which server has the newest rows. If it is ${home}: ${dropStatements(fences)}`,
      }),
    );
  }
  return [...findings, ...guards(one, home, server)];
}

function onOther(facts: Facts, one: Standing, server: ServerFacts): readonly DoctorFinding[] {
  const { journal, other, home } = one;
  const ours = ofMigration(server, journal.id).filter(({ kind }) => kind === "fence");
  const foreign = ours.filter(({ token }) => token !== journal.fenceToken);
  const findings: DoctorFinding[] = [];
  if (foreign.length > 0) {
    findings.push(
      found("fence-of-another-attempt", {
        subject: `migration ${journal.id} on ${other}`,
        observed: `triggers on ${tablesOf(foreign).join(", ")} of attempt ${tokensOf(foreign)}`,
        expected:
          journal.fenceToken === undefined ? "none: the journal knows of no switch" : `attempt ${journal.fenceToken}`,
        advice: `Compare ${home} and ${other}: the store or one of them was restored from a backup. Keep the triggers until it is known where the newest rows are.`,
      }),
    );
  }
  const stuck = ours.filter(({ letsUsPass }) => !letsUsPass);
  if (stuck.length > 0) {
    findings.push(
      found("fence-stops-stream", {
        subject: `migration ${journal.id} on ${other}`,
        observed: `the triggers on ${tablesOf(stuck).join(", ")} let another user write than the configured one`,
        expected: "the user of the backend in the configuration",
        advice: "Configure the user again under which the switch was made.",
      }),
    );
  }
  const missing = missingFence(facts, one, server, foreign.length > 0);
  return [...findings, ...(missing === undefined ? [] : [missing]), ...guards(one, other, server)];
}

function missingFence(
  facts: Facts,
  one: Standing,
  server: ServerFacts,
  bearsForeign: boolean,
): DoctorFinding | undefined {
  const { journal, other, home } = one;
  const token = journal.fenceToken;
  if (token === undefined) return undefined;
  const fences = ofMigration(server, journal.id).filter(({ kind }) => kind === "fence");
  const open = journal.tables.filter(
    (table) => server.tables.has(table) && fences.filter((fence) => fence.table === table).length < WHOLE,
  );
  if (open.length === 0) return undefined;
  const safe = !bearsForeign && isProven(facts, one);
  return found("fence-missing", {
    subject: `migration ${journal.id} on ${other}`,
    observed: `${open.join(", ")} without all of the triggers that refuse writes`,
    expected: `${WHOLE} triggers on each table, of attempt ${token}`,
    advice: safe
      ? `--fix puts them up again, under a table lock. Writes that got in meanwhile show as strays in \`switchyard migration status ${journal.id}\`; a diff shows what they changed.`
      : `Store and servers do not prove that ${home} is the home; find that out first. See to it that nobody writes to ${other} meanwhile.`,
    repair: safe ? { kind: "install-fence", tables: open, token, ...on(one, other, server) } : undefined,
  });
}

function guards(one: Standing, backend: string, server: ServerFacts): readonly DoctorFinding[] {
  const left = ofMigration(server, one.journal.id).filter(({ kind }) => kind === "guard");
  if (left.length === 0) return [];
  const tables = tablesOf(left);
  return [
    found("guard-left", {
      subject: `migration ${one.journal.id} on ${backend}`,
      observed: `guard triggers on ${tables.join(", ")}`,
      expected: "none while no switch is under way",
      advice:
        "--fix drops them, each in a moment in which no transaction holds its table. The next switch takes them off as well.",
      repair: { kind: "drop-triggers", of: "guard", tables, ...on(one, backend, server) },
    }),
  ];
}

/** Triggers of migrations that the store does not know at all. */
export function orphanFences(facts: Facts, known: ReadonlySet<string>): readonly DoctorFinding[] {
  return Object.keys(facts.servers).flatMap((backend) => {
    const server = answerOf(facts, backend);
    if (server === undefined || server.replica) return [];
    const orphans = server.triggers.filter(({ migration }) => !known.has(migration));
    const ids = [...new Set(orphans.map(({ migration }) => migration))];
    return ids.flatMap((id) => orphansOf(facts, backend, server, id));
  });
}

function orphansOf(facts: Facts, backend: string, server: ServerFacts, id: string): readonly DoctorFinding[] {
  const ours = ofMigration(server, id);
  const where: OnServer = { backend, uuid: server.uuid, migration: id };
  return (["fence", "guard"] as const).flatMap((kind) => {
    const triggers = ours.filter((trigger) => trigger.kind === kind);
    if (triggers.length === 0) return [];
    const tables = tablesOf(triggers);
    const repair: Repair = { kind: "drop-triggers", of: kind, tables, ...where };
    if (kind === "guard") {
      return found("guard-left", {
        subject: `migration ${id} on ${backend}`,
        observed: `guard triggers on ${tables.join(", ")} of a migration that the store does not know`,
        expected: "none",
        advice: "--fix drops them.",
        repair,
      });
    }
    const doubt = whyNotOnlyCopy(facts, backend, tables, id);
    return found("fence-orphan", {
      subject: `migration ${id} on ${backend}`,
      observed: `triggers on ${tables.join(", ")} that refuse writes, of attempt ${tokensOf(triggers)}`,
      expected: "a migration that moved these tables, or no triggers",
      advice:
        doubt === undefined
          ? "No other server has these tables, so this is their only copy: --fix drops the triggers."
          : `${doubt}. If the store was restored, restore it from a newer backup. If the migration was truly given up and these are the newest rows: ${dropStatements(triggers)}`,
      repair: doubt === undefined ? repair : undefined,
    });
  });
}

/** Why the tables' rows here may not be the newest ones; undefined where no other server can have them. */
function whyNotOnlyCopy(facts: Facts, backend: string, tables: readonly string[], id: string): string | undefined {
  if (facts.store.migrations.length === 0) return "The store knows of no migration at all, so it may be the wrong one";
  if (facts.store.unreadable.length > 0) return "A document of the store cannot be read, so the migration may be in it";
  if (hasMoved(facts, id)) return "Ledgers show that the tables have moved";
  for (const other of Object.keys(facts.servers)) {
    if (other === backend) continue;
    const server = answerOf(facts, other);
    if (server === undefined) return `${other} cannot be asked whether it has the tables`;
    const there = tables.filter((table) => server.tables.has(table));
    if (there.length > 0) return `${other} has ${there.join(", ")} as well, and they may have moved there`;
    const hidden = tables.filter((table) => !server.schemasSeen.has(parseTableKey(table).schema));
    if (hidden.length > 0) return `The account on ${other} could not see ${hidden.join(", ")} if they were there`;
    if (server.traces.includes(id)) return `the sidecar of ${other} knows the migration`;
  }
  return undefined;
}

function ofMigration(server: ServerFacts, id: string): readonly FoundTrigger[] {
  return server.triggers.filter(({ migration }) => migration === id);
}

function on(one: Standing, backend: string, server: ServerFacts): OnServer {
  return { backend, uuid: server.uuid, migration: one.journal.id };
}

function tablesOf(triggers: readonly FoundTrigger[]): readonly string[] {
  return [...new Set(triggers.map(({ table }) => table))].sort();
}

function tokensOf(triggers: readonly FoundTrigger[]): string {
  return [...new Set(triggers.map(({ token }) => token || "unknown"))].sort().join(", ");
}

function dropStatements(triggers: readonly FoundTrigger[]): string {
  return triggers.map(({ schema, name }) => `DROP TRIGGER \`${schema}\`.\`${name}\`;`).join(" ");
}
