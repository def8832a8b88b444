import type { Home, HomeSession, StreamPort, SwitchPorts } from "../../../src/cutover/ports.ts";
import { RULES_KEY } from "../../../src/rules/store-keys.ts";
import type { Store } from "../../../src/store/store.ts";

/** An object with some of its methods replaced; the others see the original. */
function altered<T extends object>(original: T, changes: Partial<T>): T {
  return new Proxy(original, {
    get(target, name) {
      const changed = changes[name as keyof T];
      if (changed !== undefined) return changed;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

const nothing = (): Promise<void> => Promise.resolve();

function withSessions(ports: SwitchPorts, change: (session: HomeSession) => Partial<HomeSession>): SwitchPorts {
  const home = (backend: string): Home => {
    const original = ports.home(backend);
    return altered(original, {
      open: async (options) => {
        const session = await original.open(options);
        return altered(session, change(session));
      },
    });
  };
  return { ...ports, home };
}

function withStreams(ports: SwitchPorts, changes: Partial<StreamPort>): SwitchPorts {
  return { ...ports, stream: (direction) => altered(ports.stream(direction), changes) };
}

/** No table lock on the old home until the tables have changed hands. */
export const withoutFence = (ports: SwitchPorts): SwitchPorts =>
  withSessions(ports, (session) => ({
    lock: () => Promise.resolve(true),
    prove: nothing,
    // The triggers themselves go up under a lock, as ever.
    installFences: async (token) => {
      await session.lock("write", 80);
      await session.installFences(token);
    },
  }));

/** The old home refuses nothing once it is unlocked. */
export const withoutLastingFence = (ports: SwitchPorts): SwitchPorts =>
  withSessions(ports, () => ({ installFences: nothing }));

/** Nothing on the servers keeps anybody from writing; what is safe then is safe by the proxies alone. */
export const unfenced = (ports: SwitchPorts): SwitchPorts => withoutLastingFence(withoutFence(ports));

/** A stream that feeds the new home is not shut out of it before the swap. */
export const withoutClosedLedger = (ports: SwitchPorts): SwitchPorts => withStreams(ports, { closeLedger: nothing });

/** A stream whose tables have left may be begun again by whoever still has it. */
export const withoutRetirement = (ports: SwitchPorts): SwitchPorts => withStreams(ports, { retire: nothing });

/** Counters are left as the stream has set them. */
export const withoutCounters = (ports: SwitchPorts): SwitchPorts =>
  withSessions(ports, () => ({ raiseAutoIncrement: nothing }));

/** Nobody's connections are ended: neither of proxies that vanished nor of those that did not hear of the swap. */
export const withoutKills = (ports: SwitchPorts): SwitchPorts =>
  withSessions(ports, () => ({ connectionsOf: () => Promise.resolve([]) }));

/** A controller that has been replaced can still write. */
export const withoutLeadership = (ports: SwitchPorts): SwitchPorts => ({ ...ports, leadership: () => [] });

/** An attempt is undone on the servers first, and in the store afterwards. */
export const unlocksFirst = (ports: SwitchPorts): SwitchPorts => {
  const store: Store = altered(ports.store, {
    transact: async (conditions, writes) => {
      if (writes.some((write) => "put" in write && write.value.includes('"state":"aborting"'))) {
        for (const backend of ["old", "new"]) {
          const session = await ports.home(backend).open({ takeOver: "kill-holder" });
          await session.close();
        }
        await ports.clock.sleep(100);
      }
      return await ports.store.transact(conditions, writes);
    },
  });
  return { ...ports, store };
};

/** Transactions of the switch do not depend on the rules that they were made from. */
export const withoutRevisions = (ports: SwitchPorts): SwitchPorts => {
  const store: Store = altered(ports.store, {
    transact: (conditions, writes) =>
      ports.store.transact(
        conditions.filter(({ key }) => key !== RULES_KEY && !key.startsWith("/switchyard/migrations/")),
        writes,
      ),
  });
  return { ...ports, store };
};

/** Transactions that are open on a server are not looked at. */
export const withoutHolders = (ports: SwitchPorts): SwitchPorts =>
  withSessions(ports, () => ({ holders: () => Promise.resolve([]) }));

/** The position that an attempt finds written is used, whatever token it was written under. */
export const withoutTokensOfPositions = (ports: SwitchPorts): SwitchPorts => ({
  ...ports,
  stream: (direction) => {
    const stream = ports.stream(direction);
    return altered(stream, {
      writeStart: async (token, position) => {
        const known = firstPositions.get(ports.store) ?? new Map<string, string>();
        firstPositions.set(ports.store, known.set(direction, known.get(direction) ?? position));
        await stream.writeStart(token, known.get(direction) ?? position);
      },
    });
  },
});
const firstPositions = new WeakMap<Store, Map<string, string>>();
