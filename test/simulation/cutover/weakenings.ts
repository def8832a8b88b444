import { isSwitchyardError, SwitchyardError } from "../../../src/base/errors.ts";
import type { Direction, MigrationDocument } from "../../../src/cutover/migration-document.ts";
import type { Home, HomeSession, StreamPort, SwitchPorts } from "../../../src/cutover/ports.ts";
import { ALIVE_PREFIX, PROXIES_PREFIX, RULES_KEY } from "../../../src/rules/store-keys.ts";
import type { Store, StoreEntry } from "../../../src/store/store.ts";

/** An object with some of its methods replaced; the others see the original. */
export function altered<T extends object>(original: T, changes: Partial<T>): T {
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
export const withoutSeal = (ports: SwitchPorts): SwitchPorts =>
  withStreams(ports, { seal: () => Promise.resolve("all:1000000000") });

/** The feeding stream goes on past the position at which it was to stay. */
export const withoutStay = (ports: SwitchPorts): SwitchPorts => ({
  ...ports,
  stream: (direction) => {
    const stream = ports.stream(direction);
    return altered(stream, {
      stopAt: async (position, options) => {
        await stream.stopAt(position, options);
        await stream.resume("", undefined);
      },
    });
  },
});

/** The fences of the new home go, and nothing is in their place until the swap. */
export const withoutGuards = (ports: SwitchPorts): SwitchPorts =>
  withSessions(ports, (session) => ({ installGuards: (token) => session.dropFences(token) }));

/** The fences of the new home are left where they are. */
export const withFencesLeft = (ports: SwitchPorts): SwitchPorts =>
  withSessions(ports, () => ({ fences: () => Promise.resolve([]) }));

/** It takes a while to be ready for the swap, and at the end of it the lock is proven to stand, or not looked at. */
export const withSlowProof =
  (proven: boolean) =>
  (ports: SwitchPorts): SwitchPorts =>
    withSessions(ports, (session) => ({
      prove: async () => {
        await ports.clock.sleep(20);
        if (proven) await session.prove();
      },
    }));

/** What servers have written into their logs past the proxies is not looked for: on the new home, or on the old one. */
export const withoutWatching = (ports: SwitchPorts): SwitchPorts => ({
  ...ports,
  home: (backend) =>
    altered(ports.home(backend), {
      watchStrays: () => Promise.resolve({ underWay: nothing, upTo: () => Promise.resolve([]), close: nothing }),
    }),
});

/** A lock stays pending until it is granted. */
export const withoutBoundedLock = (ports: SwitchPorts): SwitchPorts =>
  withSessions(ports, (session) => ({ lock: (mode) => session.lock(mode, 60_000) }));

/** Proxies without a sign of life are taken for dead, whether or not they have ever known of the arming. */
export const withoutTheSilent = (ports: SwitchPorts): SwitchPorts => {
  const list: Store["list"] = async (prefix) => {
    const found = await ports.store.list(prefix);
    if (prefix !== PROXIES_PREFIX) return found;
    const alive = await ports.store.list(ALIVE_PREFIX);
    const ids = new Set(alive.entries.map(({ key }) => key.slice(ALIVE_PREFIX.length)));
    return { ...found, entries: found.entries.filter(({ key }) => ids.has(key.slice(PROXIES_PREFIX.length))) };
  };
  return { ...ports, store: altered(ports.store, { list }) };
};

/** Before what an abort undoes on the servers is undone, the journal is not read again: what it said then counts. */
export const withoutReadingAgain = (ports: SwitchPorts): SwitchPorts => {
  let aborting: StoreEntry | undefined;
  const store = altered(ports.store, {
    get: async (key) => {
      const known = aborting;
      if (known?.key === key) return known;
      const found = await ports.store.get(key);
      return found;
    },
    transact: async (conditions, writes) => {
      aborting = undefined;
      const result = await ports.store.transact(conditions, writes);
      for (const write of writes) {
        if (!("put" in write) || !write.put.startsWith(MIGRATIONS)) continue;
        const { attempt } = JSON.parse(write.value) as { readonly attempt?: { readonly state?: string } };
        if (result.succeeded && attempt?.state === "aborting")
          aborting = { key: write.put, value: write.value, revision: result.revision };
      }
      return result;
    },
  });
  return { ...ports, store };
};
const MIGRATIONS = "/switchyard/migrations/";

/** After an abort the stream is left to whoever leads next. */
export const withoutResuming = (ports: SwitchPorts): SwitchPorts => withStreams(ports, { resume: nothing });

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
        conditions.filter(({ key }) => key !== RULES_KEY && !key.startsWith(MIGRATIONS)),
        writes,
      ),
  });
  return { ...ports, store };
};

/** A hold whose answer was lost counts as not written, where the rules do not show it: it is written once more. */
export const withHoldsWrittenAgain = (ports: SwitchPorts): SwitchPorts => {
  const store: Store = altered(ports.store, {
    transact: (conditions, writes) =>
      ports.store.transact(conditions, writes).catch((error: unknown) => {
        const holds = writes.some((write) => "put" in write && write.put === RULES_KEY && holdsIn(write.value) > 0);
        if (!holds || !isSwitchyardError(error, "STORE_OUTCOME_UNKNOWN")) throw error;
        throw new SwitchyardError("STORE_UNAVAILABLE", { what: "the hold is taken for unwritten", cause: error });
      }),
  });
  return { ...ports, store };
};

function holdsIn(rules: string): number {
  return Object.keys((JSON.parse(rules) as { readonly holds: object }).holds).length;
}

/** The lock is proven before the swap, and not again after it. */
export const withoutSecondProof = (ports: SwitchPorts): SwitchPorts => {
  const swapped = async (): Promise<boolean> => {
    const entry = await ports.store.get(`${MIGRATIONS}m`);
    const { attempt, fenceToken } = JSON.parse(entry?.value ?? "{}") as Partial<MigrationDocument>;
    return attempt !== undefined && attempt.token === fenceToken;
  };
  return withSessions(ports, (session) => ({
    prove: async () => {
      if (!(await swapped().catch(() => false))) await session.prove();
    },
  }));
};

/** What has come to a stream since the gate is not looked at again. */
export const withoutLookAtDdl = (ports: SwitchPorts): SwitchPorts => {
  let atGate = true;
  const progress = (line: string): void => {
    atGate = line === "check the gate";
    ports.progress(line);
  };
  const stream = (direction: Direction): StreamPort => {
    const original = ports.stream(direction);
    return altered(original, {
      health: async () => ({ ...(await original.health()), ...(atGate ? {} : { ddl: 0 }) }),
    });
  };
  return { ...ports, progress, stream };
};

/** Definition statements that wait behind the fence are not looked for. */
export const withoutEndingDdl = (ports: SwitchPorts): SwitchPorts =>
  withSessions(ports, () => ({ waitingDdl: () => Promise.resolve([]) }));

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

/** A controller that learns that it was replaced closes its sessions at once, and their locks go with them. */
export const closingWhenReplaced = (ports: SwitchPorts): SwitchPorts =>
  withSessions(ports, (session) => {
    ports.signal.addEventListener("abort", () => void session.close());
    return {};
  });

/** A controller that was replaced leaves its sessions to others for good. */
export const withoutLettingGo = (ports: SwitchPorts): SwitchPorts =>
  withSessions(ports, (session) => ({
    close: () => (ports.signal.aborted ? Promise.resolve() : session.close()),
  }));

/** Once its sessions are open, an attempt takes the journal to say what it has written there itself. */
export const withoutSecondLook = (ports: SwitchPorts): SwitchPorts => {
  let armed: StoreEntry | undefined;
  const store: Store = altered(ports.store, {
    get: async (key) => {
      const written = armed;
      armed = undefined;
      return written?.key === key ? written : await ports.store.get(key);
    },
    transact: async (conditions, writes) => {
      const result = await ports.store.transact(conditions, writes);
      for (const write of writes) {
        if (!("put" in write) || !write.put.startsWith(MIGRATIONS)) continue;
        const { attempt, fenceToken } = JSON.parse(write.value) as Partial<MigrationDocument>;
        const begins = attempt !== undefined && attempt.state === undefined && attempt.token !== fenceToken;
        armed = begins ? { key: write.put, value: write.value, revision: result.revision } : undefined;
      }
      return result;
    },
  });
  return { ...ports, store };
};

/** Who takes a table lock over ends the session that has it, and then asks for it. */
export const withGapInTakeover = (ports: SwitchPorts): SwitchPorts => ({
  ...ports,
  home: (backend) => {
    const home = ports.home(backend);
    return altered(home, {
      open: async (options) => {
        if (options.takeOver !== "keep-lock") return await home.open(options);
        const session = await home.open({ ...options, takeOver: "kill-holder" });
        await session.lock("write", 3000);
        return session;
      },
    });
  },
});

/** Who finds the migration's lock held ends that session, whatever the journal says by now. */
export const withoutAskingBeforeKills = (ports: SwitchPorts): SwitchPorts => ({
  ...ports,
  home: (backend) => {
    const home = ports.home(backend);
    const open: Home["open"] = ({ stillOurs: _unasked, ...options }) => home.open(options);
    return altered(home, { open });
  },
});

/** Rules and journal are written one after the other. */
export const withDocumentsApart = (ports: SwitchPorts): SwitchPorts => {
  const store: Store = altered(ports.store, {
    transact: async (conditions, writes) => {
      const rules = writes.filter((write) => "put" in write && write.put === RULES_KEY);
      if (rules.length === 0 || rules.length === writes.length) return await ports.store.transact(conditions, writes);
      const first = await ports.store.transact(conditions, rules);
      if (!first.succeeded) return first;
      return await ports.store.transact(
        [],
        writes.filter((write) => !rules.includes(write)),
      );
    },
  });
  return { ...ports, store };
};
