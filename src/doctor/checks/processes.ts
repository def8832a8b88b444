import { describeElsewhere, ELSEWHERE_FIX, proxiesElsewhere } from "../../cutover/proxy-servers.ts";
import type { Facts } from "../facts.ts";
import { type DoctorFinding, found } from "../finding.ts";
import type { Standing } from "../standing.ts";

/** An order that is not taken for so long is waiting. */
const ORDER_WAITS_MS = 30_000;

/** Who should be at work and is not: controllers, proxies, and whoever takes orders. */
export function processFindings(facts: Facts, all: readonly Standing[]): readonly DoctorFinding[] {
  const unfinished = all.filter(({ ended }) => !ended);
  return [
    ...controllers(facts, unfinished),
    ...(facts.store.live ? [...orders(facts), ...proxies(facts), ...elsewhere(facts, unfinished)] : []),
  ];
}

function controllers({ store }: Facts, unfinished: readonly Standing[]): readonly DoctorFinding[] {
  const names = unfinished.map(({ journal }) => journal.id);
  if (names.length === 0) return [];
  if (!store.live || store.controllers.length === 0) {
    return [
      found("controller-absent", {
        subject: store.from,
        observed: `no controller gives a sign of life; unfinished: ${names.join(", ")}`,
        expected: "one at least",
        advice: "Start `switchyard serve` or `switchyard controller`; what was begun is settled and goes on by itself.",
      }),
    ];
  }
  return unfinished
    .filter(({ journal, attempt }) => store.runners[journal.id] === undefined && attempt === "none")
    .map(({ journal }) =>
      found("migration-unattended", {
        subject: `migration ${journal.id}`,
        observed: `none of ${store.controllers.map(({ id }) => id).join(", ")} runs it`,
        expected: `a controller with the backends ${journal.source} and ${journal.target}`,
        advice: "Give one of them both backends; where it has them, its log says what keeps it.",
      }),
    );
}

function orders({ store, nowMs }: Facts): readonly DoctorFinding[] {
  return store.orders
    .filter(({ state, at }) => state === "pending" && nowMs - Date.parse(at) > ORDER_WAITS_MS)
    .map(({ id, command, migration, at }) =>
      found("order-waiting", {
        subject: `order ${id}`,
        observed: `${command} ${migration}, given at ${at}`,
        expected: "a controller that takes it",
        advice: "Start a controller that has the migration's backends.",
      }),
    );
}

function proxies({ store }: Facts): readonly DoctorFinding[] {
  const alive = new Set(store.alive);
  const generation = store.rules?.document.generation ?? 0;
  return store.proxies.flatMap((proxy) => {
    const subject = `proxy ${proxy.id}`;
    if (!alive.has(proxy.id)) {
      return [
        found("proxy-silent", {
          subject,
          observed: "registered, without a lease",
          expected: "a sign of life, or no registration",
          advice: `If its process has surely ended: \`switchyard proxies forget ${proxy.id}\`. If it runs, see why it cannot reach the store.`,
        }),
      ];
    }
    if (proxy.generation >= generation) return [];
    return [
      found("proxy-behind", {
        subject,
        observed: `generation ${proxy.generation}`,
        expected: `${generation}`,
        advice: "Its log says why; restart it if it stays behind.",
      }),
    ];
  });
}

/** Each proxy has been told by its servers who they are. */
function elsewhere({ store }: Facts, unfinished: readonly Standing[]): readonly DoctorFinding[] {
  const known = unfinished.flatMap(({ journal }) => [
    { backend: journal.source, uuid: journal.sourceUuid },
    { backend: journal.target, uuid: journal.targetUuid },
  ]);
  const each = known.filter((one, at) => known.findIndex(({ backend }) => backend === one.backend) === at);
  const alive = new Set(store.alive);
  const living = store.proxies.filter(({ id }) => alive.has(id)).map((document) => ({ document }));
  return proxiesElsewhere(living, each).map((one) =>
    found("proxy-elsewhere", {
      subject: `proxy ${one.proxy}`,
      observed: describeElsewhere(one),
      expected: `server_uuid ${one.uuid}`,
      advice: ELSEWHERE_FIX,
    }),
  );
}
