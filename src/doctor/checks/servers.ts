import { SIDECAR_FORMAT, SIDECAR_SCHEMA } from "../../rules/sidecar-schema.ts";
import type { Facts, ServerFacts } from "../facts.ts";
import { type DoctorFinding, found } from "../finding.ts";
import { answerOf, type Standing } from "../standing.ts";

/** Each server by itself: whether it answers, what it lets us see, and its sidecar's format. */
export function serverFindings(facts: Facts): readonly DoctorFinding[] {
  return Object.entries(facts.servers).flatMap(([backend, answer]) => {
    const subject = `backend ${backend}`;
    if ("unreachable" in answer) {
      return [
        found("server-unreachable", {
          subject,
          observed: answer.unreachable,
          expected: "a server that answers",
          advice: "Bring it back, or correct its address and account; then ask again.",
        }),
      ];
    }
    return [...unseen(subject, answer), ...foreignSidecar(subject, answer), ...readOnlyHome(facts, backend, answer)];
  });
}

function unseen(subject: string, { unseen: parts }: ServerFacts): readonly DoctorFinding[] {
  if (parts.length === 0) return [];
  return [
    found("server-unseen", {
      subject,
      observed: `no right to read: ${parts.join(", ")}`,
      expected: "the rights that `switchyard check --print-grants` prints",
      advice: "Grant them, then ask again.",
    }),
  ];
}

function foreignSidecar(subject: string, { sidecar }: ServerFacts): readonly DoctorFinding[] {
  const odd = [...sidecar].filter(([, format]) => Number.isNaN(format) || format > SIDECAR_FORMAT);
  if (odd.length === 0) return [];
  return [
    found("sidecar-foreign", {
      subject,
      observed: odd
        .map(
          ([table, format]) =>
            `${SIDECAR_SCHEMA}.${table} ${Number.isNaN(format) ? "is not ours" : `has format ${format}`}`,
        )
        .join(", "),
      expected: `tables of Switchyard, of format ${SIDECAR_FORMAT} at most`,
      advice: "Run the version that made them; move what is somebody else's out of the schema.",
    }),
  ];
}

function readOnlyHome({ store }: Facts, backend: string, server: ServerFacts): readonly DoctorFinding[] {
  const rules = store.rules?.document;
  if (rules === undefined || !server.readOnly) return [];
  const tables = Object.entries(rules.tables).filter(([, { to }]) => to === backend);
  if (tables.length === 0 && rules.default !== backend) return [];
  return [
    found("home-read-only", {
      subject: `backend ${backend}`,
      observed: `${server.superReadOnly ? "super_read_only" : "read_only"} is ON`,
      expected: `OFF: it is the home of ${tables.map(([table]) => table).join(", ") || "every table without a rule"}`,
      advice: "Find out who made it read-only and why, before SET GLOBAL read_only = OFF;",
    }),
  ];
}

/** The two servers of an unfinished migration against its journal. */
export function endFindings(facts: Facts, one: Standing): readonly DoctorFinding[] {
  if (one.ended) return lostAfterEnd(facts, one);
  const { journal } = one;
  const [source, target] = [answerOf(facts, journal.source), answerOf(facts, journal.target)];
  if (source !== undefined && target !== undefined && source.uuid === target.uuid) {
    return [
      found("servers-same", {
        subject: `migration ${journal.id}`,
        observed: `${journal.source} and ${journal.target} lead to server_uuid ${source.uuid}`,
        expected: "two servers",
        advice: "Correct the addresses in `backends:`; start nothing before.",
      }),
    ];
  }
  return [
    ...changed(one, journal.source, journal.sourceUuid, source),
    ...changed(one, journal.target, journal.targetUuid, target),
    ...tablesMissing(one),
    ...readOnlyFollower(one),
  ];
}

function changed(
  { journal }: Standing,
  backend: string,
  known: string,
  server: ServerFacts | undefined,
): readonly DoctorFinding[] {
  if (server === undefined || known === "" || server.uuid === known) return [];
  return [
    found("server-changed", {
      subject: `migration ${journal.id}, backend ${backend}`,
      observed: `${server.label} has server_uuid ${server.uuid}`,
      expected: known,
      advice:
        "If a replica has taken its place, prove and accept it with `switchyard migration repoint`; else point the backend at the server that it named before.",
    }),
  ];
}

function tablesMissing(one: Standing): readonly DoctorFinding[] {
  const { journal } = one;
  const ends = [
    { backend: one.home, server: one.homeServer, must: true },
    { backend: one.other, server: one.otherServer, must: one.begun },
  ];
  return ends.flatMap(({ backend, server, must }) => {
    if (server === undefined || !must || one.attempt !== "none") return [];
    const missing = journal.tables.filter((table) => !server.tables.has(table));
    if (missing.length === 0) return [];
    return [
      found("tables-missing", {
        subject: `migration ${journal.id} on ${backend}`,
        observed: `no table ${missing.join(", ")}`,
        expected: "all tables of the migration",
        advice:
          backend === one.home
            ? `${backend} is the home: its rows are lost unless somebody renamed the table. Restore it before anything else.`
            : `Its rows can be copied anew: give the migration up and create it again; a switched one can only be completed.`,
      }),
    ];
  });
}

/** Years later a table may be gone on purpose; but not where the server that it has left still has it. */
function lostAfterEnd({ store }: Facts, one: Standing): readonly DoctorFinding[] {
  const { journal, homeServer, otherServer } = one;
  if (journal.phase !== "completed" || homeServer === undefined || otherServer === undefined) return [];
  const ours = journal.tables.filter((table) => store.rules?.document.tables[table]?.migration === journal.id);
  const missing = ours.filter((table) => !homeServer.tables.has(table) && otherServer.tables.has(table));
  if (missing.length === 0) return [];
  return [
    found("tables-missing", {
      subject: `migration ${journal.id} on ${one.home}`,
      observed: `no table ${missing.join(", ")}, which ${one.other} still has`,
      expected: `all tables of the migration: ${one.home} is their home for good`,
      advice: `Restore ${one.home} from a newer backup. The rows on ${one.other} are of before the migration was completed.`,
    }),
  ];
}

function readOnlyFollower({ journal, other, otherServer, begun, attempt }: Standing): readonly DoctorFinding[] {
  if (otherServer === undefined || !otherServer.superReadOnly || !begun || attempt !== "none") return [];
  return [
    found("follower-read-only", {
      subject: `migration ${journal.id} on ${other}`,
      observed: "super_read_only is ON",
      expected: "OFF, so that the stream can write",
      advice: "Find out who set it and why, before SET GLOBAL super_read_only = OFF;",
    }),
  ];
}
