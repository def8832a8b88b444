import { splitBySwitch } from "../rules/routing.ts";
import type { GateContext } from "./gate.ts";
import type { GateFinding, HomeView } from "./ports.ts";
import { listProxies, type RegisteredProxy } from "./proxy-view.ts";

/** Every registered proxy is alive and judges by the present rules; none logs in with Switchyard's own account. */
export async function proxyFindings(context: GateContext): Promise<readonly GateFinding[]> {
  const proxies = await listProxies(context.ports.store);
  const { generation } = context.state.rules.document;
  const behind = proxies.filter((proxy) => proxy.alive && proxy.document.generation < generation);
  const gone = await goneWithConnections(context, proxies);
  const own = ownAccounts(context, proxies);
  return [
    {
      id: "proxies-alive",
      ok: gone.length === 0,
      title: "every registered proxy can reach the store",
      observed: gone.join(", ") || `${proxies.length} proxies, all seen`,
      expected: "no proxy that has connections to the servers and shows no sign of life",
      fix: "Bring it back to the store, or stop that process; when its connections are gone it does not stand in the way.",
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
      id: "accounts-own",
      ok: own.length === 0,
      title: "no application uses Switchyard's own account",
      observed: own.join(", ") || "none does",
      expected: "accounts of its own for Switchyard: the fence lets them pass",
      fix: "Give the application an account of its own.",
    },
  ];
}

async function goneWithConnections(
  context: GateContext,
  proxies: readonly RegisteredProxy[],
): Promise<readonly string[]> {
  const gone = proxies.filter((proxy) => !proxy.alive);
  if (gone.length === 0) return [];
  const nonces = gone.map((proxy) => proxy.document.bootNonce);
  const count = async (backend: string): Promise<number> =>
    context.ports.home(backend).inspect(async (view: HomeView) => (await view.connectionsOf(nonces)).length);
  const left = (await count(context.ends.oldHome)) + (await count(context.ends.newHome));
  return left === 0 ? [] : [`${gone.map((p) => p.document.id).join(", ")}: ${left} connections, no sign of life`];
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
export async function splitFinding(context: GateContext): Promise<readonly GateFinding[]> {
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
