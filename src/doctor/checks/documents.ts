import { presentName } from "../../rules/rules-edits.ts";
import type { Facts } from "../facts.ts";
import { type DoctorFinding, found } from "../finding.ts";
import { answerOf } from "../standing.ts";

/** The store's documents by themselves, and the rules against everything that has seen rules. */
export function documentFindings(facts: Facts): readonly DoctorFinding[] {
  return [
    ...unreadable(facts),
    ...emptyStore(facts),
    ...elsewhere(facts),
    ...rulesMissing(facts),
    ...rulesOlder(facts),
    ...rulesOfAnotherSwitch(facts),
    ...defaultDiffers(facts),
    ...unknownBackends(facts),
  ];
}

function unreadable({ store }: Facts): readonly DoctorFinding[] {
  return [
    ...store.unreadable.map(({ key, why }) =>
      found("document-unreadable", {
        subject: key,
        observed: why,
        expected: "a document that this version has written or can read",
        advice: "If it is of a newer format, run that version. Else restore the key from a backup of the store.",
      }),
    ),
    ...store.unknownKeys.map((key) =>
      found("key-unknown", {
        subject: key,
        observed: "a key that nobody reads",
        expected: "only keys of Switchyard below this prefix",
        advice: "Find out who wrote it. Where another program shares the etcd, give Switchyard a prefix of its own.",
      }),
    ),
  ];
}

function emptyStore(facts: Facts): readonly DoctorFinding[] {
  const { rules, migrations, unreadable: damaged } = facts.store;
  if (migrations.length > 0 || damaged.length > 0 || Object.keys(rules?.document.tables ?? {}).length > 0) return [];
  const bearing = Object.keys(facts.servers).filter((backend) => {
    const server = answerOf(facts, backend);
    return server !== undefined && (server.triggers.length > 0 || server.traces.length > 0);
  });
  if (bearing.length === 0) return [];
  return [
    found("store-empty", {
      subject: facts.store.from,
      observed: `no migration and no table in the rules; ${bearing.join(", ")} bear traces of migrations`,
      expected: "the journals of these migrations",
      advice:
        "Start nothing with this store. Check `store:` and `dataDirectory:` of the configuration, or restore the store from a backup.",
    }),
  ];
}

function elsewhere({ otherStore, config }: Facts): readonly DoctorFinding[] {
  if (otherStore === undefined || otherStore.migrations === 0) return [];
  return [
    found("store-elsewhere", {
      subject: otherStore.where,
      observed: `${otherStore.migrations} migrations in it, while the configuration says ${config.store}`,
      expected: "one store",
      advice: "If everything runs by the configured store, move the other one away, so that nobody starts with it.",
    }),
  ];
}

function rulesMissing({ store }: Facts): readonly DoctorFinding[] {
  const damaged = store.unreadable.some(({ key }) => key.endsWith("/rules"));
  if (store.rules !== undefined || store.migrations.length === 0 || damaged) return [];
  return [
    found("rules-missing", {
      subject: store.from,
      observed: `${store.migrations.length} journals and no rules`,
      expected: "rules at least as new as the journals",
      advice: "Start no controller. Restore the key of the rules from a backup, of after the last switch.",
    }),
  ];
}

function rulesOlder({ store }: Facts): readonly DoctorFinding[] {
  if (store.rules === undefined) return [];
  const { generation } = store.rules.document;
  const ahead = [
    ...store.migrations
      .filter(({ document }) => document.generation > generation)
      .map(({ document }) => `the journal of ${document.id} has seen ${document.generation}`),
    ...store.proxies
      .filter((proxy) => proxy.generation > generation)
      .map((proxy) => `proxy ${proxy.id} has seen ${proxy.generation}`),
  ];
  if (ahead.length === 0) return [];
  return [
    found("rules-older", {
      subject: "rules",
      observed: `generation ${generation}; ${ahead.join("; ")}`,
      expected: "rules at least as new as all who have seen them",
      advice:
        "Restart no proxy: those that run may still hold the newer rules. Restore the store from a newer backup, or find by fences and ledgers where each table lives.",
    }),
  ];
}

/** The switch id changes with each swap alone, together with the journal of its migration. */
function rulesOfAnotherSwitch({ store }: Facts): readonly DoctorFinding[] {
  const rules = store.rules?.document;
  const journals = store.migrations.map(({ document }) => document);
  const newest = journals.toSorted((a, b) => b.generation - a.generation)[0];
  if (rules === undefined || newest === undefined || store.unreadable.length > 0) return [];
  if (newest.generation > rules.generation || newest.switchId === rules.switchId) return [];
  return [
    found("rules-of-another-switch", {
      subject: "rules",
      observed: `switch id ${rules.switchId || "of no switch"}`,
      expected: `${newest.switchId || "that of no switch"}, as the journal of ${newest.id} has it`,
      advice: "Restore rules and journals from one backup, or find by fences and ledgers where each table lives.",
    }),
  ];
}

function defaultDiffers({ config, store }: Facts): readonly DoctorFinding[] {
  const rules = store.rules?.document;
  if (rules === undefined || rules.default === presentName(rules, config.default)) return [];
  return [
    found("default-differs", {
      subject: "configuration",
      observed: `default: ${config.default}`,
      expected: `${rules.default}, as the rules have it`,
      advice: `Set default: ${rules.default}, or name the store that belongs to this configuration.`,
    }),
  ];
}

function unknownBackends({ config, store }: Facts): readonly DoctorFinding[] {
  const named = new Map<string, string>();
  const rules = store.rules?.document;
  if (rules !== undefined) {
    named.set(rules.default, "the default of the rules");
    for (const [table, { to }] of Object.entries(rules.tables)) named.set(to, `the rule of ${table}`);
  }
  for (const { document } of store.migrations) {
    if (document.phase === "completed" || document.phase === "cancelled") continue;
    for (const backend of [document.source, document.target]) named.set(backend, `migration ${document.id}`);
  }
  return [...named]
    .filter(([backend]) => !config.backends.includes(backend))
    .map(([backend, by]) =>
      found("backend-unknown", {
        subject: `backend ${backend}`,
        observed: `${by} names it`,
        expected: `one of ${config.backends.join(", ")}`,
        advice: `Add it to \`backends:\`, as it was. Backends are known by their names in the store.`,
      }),
    );
}
