import { deadlineIn } from "../base/deadline.ts";
import { PROXY_KIND } from "../rules/document-kinds.ts";
import { splitBySwitch } from "../rules/routing.ts";
import type { GateContext } from "./gate.ts";
import type { GateFinding } from "./ports.ts";
import { describeElsewhere, ELSEWHERE_FIX, proxiesElsewhere } from "./proxy-servers.ts";
import { listOtherFormats, listProxies, OTHER_FORMAT_FIX, type RegisteredProxy } from "./proxy-view.ts";

/**
 * All of {@link joinedFindings} and {@link splitFinding}. While a proxy of another version is registered that is the only
 * finding: what such a proxy says of itself may mean anything.
 */
export async function proxyFindings(context: GateContext): Promise<readonly GateFinding[]> {
  const others = await listOtherFormats(context.ports.store);
  const formats: GateFinding = {
    id: "proxies-format",
    ok: others.length === 0,
    title: "every proxy registers in the format of this version",
    observed: others.map(({ id, format }) => `${id} in format ${format}`).join(", ") || `format ${PROXY_KIND.format}`,
    expected: `format ${PROXY_KIND.format}: proxies of different versions may not do the same with a hold`,
    fix: OTHER_FORMAT_FIX,
  };
  if (!formats.ok) return [formats];
  const [joined, split] = await Promise.all([joinedFindings(context), splitFinding(context)]);
  return [formats, ...joined, ...split];
}

/** Every registered proxy is alive, judges by the present rules, and reaches the servers of the streams; none logs in with Switchyard's own account. */
async function joinedFindings(context: GateContext): Promise<readonly GateFinding[]> {
  const { generation } = context.state.rules.document;
  const proxies = await listWhenCurrent(context, generation);
  const behind = proxies.filter((proxy) => isBehind(proxy, generation));
  const gone = proxies.filter((proxy) => !proxy.alive).map((proxy) => proxy.document.id);
  const own = ownAccounts(context, proxies);
  const { ends } = context;
  const homes = [
    { backend: ends.oldHome, uuid: ends.oldUuid },
    { backend: ends.newHome, uuid: ends.newUuid },
  ];
  const elsewhere = proxiesElsewhere(proxies, homes);
  return [
    {
      id: "proxies-alive",
      ok: gone.length === 0,
      title: "every registered proxy can reach the store",
      observed: gone.length === 0 ? `${proxies.length} proxies, all alive` : `no sign of life of ${gone.join(", ")}`,
      expected: "all alive: one that only cannot reach the store still serves its clients by the rules it knows",
      fix: "Bring it back to the store. If that process has ended for good: `switchyard proxies forget <id>`.",
    },
    {
      id: "proxies-current",
      ok: behind.length === 0,
      title: "every proxy uses the present rules",
      observed:
        behind.map((p) => `${p.document.id} has generation ${p.document.generation}`).join(", ") ||
        `generation ${generation}`,
      expected: `generation ${generation}`,
      fix: "A proxy takes new rules within moments; look at the log of one that does not.",
    },
    {
      id: "proxies-servers",
      ok: elsewhere.length === 0,
      title: "every proxy reaches the servers that the streams use",
      observed: elsewhere.map(describeElsewhere).join("; ") || "none reaches another",
      expected: homes.map(({ backend, uuid }) => `${backend} is server_uuid ${uuid || "unknown"}`).join(", "),
      fix: ELSEWHERE_FIX,
    },
    {
      id: "accounts-own",
      ok: own.length === 0,
      title: "no application uses Switchyard's own account",
      observed: own.join(", ") || "none does",
      expected: "accounts of its own for Switchyard: the fence lets them pass",
      fix: "Give the application an account of its own.",
    },
  ];
}

const CURRENT_WAIT_MS = 1000;
const CURRENT_LOOK_MS = 20;

/** Rules that were changed just now, by an attempt that ended or by hand, reach every proxy within moments. */
async function listWhenCurrent(context: GateContext, generation: number): Promise<readonly RegisteredProxy[]> {
  const { clock, store, signal } = context.ports;
  const deadline = deadlineIn(clock, CURRENT_WAIT_MS);
  for (;;) {
    const proxies = await listProxies(store);
    if (deadline.passed || !proxies.some((proxy) => isBehind(proxy, generation))) return proxies;
    await clock.sleep(CURRENT_LOOK_MS, signal);
  }
}

function isBehind(proxy: RegisteredProxy, generation: number): boolean {
  return proxy.alive && proxy.document.generation < generation;
}

function ownAccounts(context: GateContext, proxies: readonly RegisteredProxy[]): readonly string[] {
  const own = new Set(
    [context.ends.oldHome, context.ends.newHome].map((backend) => context.ports.home(backend).ownUser),
  );
  const used = new Set<string>();
  for (const proxy of proxies) {
    for (const account of proxy.document.accounts) {
      const user = account.includes("@") ? account.slice(0, account.lastIndexOf("@")) : account;
      if (own.has(user)) used.add(user);
    }
  }
  return [...used];
}

/** Tables that clients use together stay together. */
async function splitFinding(context: GateContext): Promise<readonly GateFinding[]> {
  const { ends, state, ports } = context;
  const split = new Set<string>();
  for (const proxy of await listProxies(ports.store)) {
    const sets = splitBySwitch(proxy.document.seenTogether, ends.tables, state.rules.document, ends.newHome);
    for (const set of sets) split.add(set.join(" + "));
  }
  return [
    {
      id: "tables-together",
      ok: split.size === 0,
      title: "no statement or transaction would be split over two servers",
      observed: [...split].slice(0, 10).join("; ") || "none was seen",
      expected: "tables that are used together move together",
      fix: "Move the other tables along, in this migration or in one that is switched before.",
      forceable: true,
    },
  ];
}
