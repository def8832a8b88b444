import { alterTable, alterWhenFree } from "./alterations.ts";
import type { RunOptions } from "./run-options.ts";

type Scene = NonNullable<RunOptions["scene"]>;

/**
 * 1. The swap is sent, and is long on its way; the store is away meanwhile, for the proxies even longer.
 * 2. The time for holding clients runs out: the controller gives the attempt up.
 * 3. The store is back, and only then the swap arrives.
 */
export const lateSwap = (): Partial<RunOptions> => {
  let set = false;
  return {
    scene: (point, run) => {
      if (point !== "switch-before-swap" || set) return;
      set = true;
      const { store, world } = run;
      Object.assign(store.faults, { lateRequest: 1 });
      store.lateMs = [720, 760];
      world.after(5, () => {
        Object.assign(store.faults, { lateRequest: 0 });
        store.awayUntil = world.now + 660;
        // Once their time is over they would remove the hold, which the swap needs.
        for (const proxy of run.proxies) proxy.process.cutOff(900);
      });
    },
    activeMs: 1500,
  };
};

/**
 * 1. The swap is sent, and all that is written to the store is long on its way.
 * 2. The time for holding clients runs out: the controller gives the attempt up, and says so to the store.
 * 3. The swap arrives; what the controller has said since comes to nothing, and it learns so.
 */
export const swapLearntLate = (): Partial<RunOptions> => {
  let set = false;
  return {
    scene: (point, { store, world }) => {
      if (point !== "switch-before-swap" || set) return;
      set = true;
      Object.assign(store.faults, { lateRequest: 1 });
      store.lateMs = [600, 640];
      world.after(680, () => Object.assign(store.faults, { lateRequest: 0 }));
    },
    activeMs: 1500,
  };
};

/**
 * 1. While they are armed, a proxy is stopped for longer than its lease.
 * 2. The controller ends its connections, and its clock stands still while it waits for their end.
 * 3. The proxy goes on, over connections that it makes anew.
 * 4. The controller's clock goes on, long after that, and it ends those too.
 */
export const endsLate = (): Partial<RunOptions> => {
  let set = false;
  return {
    scene: (point, { world, proxies }, { process }) => {
      const [proxy] = proxies;
      if (point !== "switch-after-arm" || proxy === undefined || set) return;
      set = true;
      proxy.process.stop(world.random.between(250, 350));
      world.after(world.random.between(180, 240), () => process.stallClock(1100));
    },
    controllers: 1,
    activeMs: 2000,
  };
};

/** While they are armed, a proxy loses the store, but neither its clients nor the servers, for longer than its lease. */
export const cutOffWhileArmed: Scene = (point, { proxies }) => {
  if (point === "switch-after-arm") proxies[0]?.process.cutOff(700);
};

/**
 * 1. A controller is stopped during a switch; the next one takes over and aborts.
 * 2. That one is stopped too, between its last look at the journal and the stream that it is about to let go on.
 * 3. The first wakes, leads again, switches, and begins to roll back.
 * 4. The second wakes with the stream still in its hands.
 */
export const lateStream = (): Partial<RunOptions> => {
  let stopped = 0;
  return {
    scene: (point, { world }, { process }) => {
      if (point === "switch-after-drain" && stopped === 0) {
        stopped = 1;
        process.stop(400);
      } else if (point === "abort-after-unlock" && stopped === 1) {
        stopped = 2;
        world.after(world.random.between(1, 5), () => process.stop(world.random.between(300, 900)));
      }
    },
    activeMs: 1500,
  };
};

/**
 * 1. The swap is sent, and is long on its way; its controller is stopped.
 * 2. The next controller leads, and finds the attempt.
 * 3. The swap arrives.
 */
export const lateSwapOfTheLast = (): Partial<RunOptions> => {
  let set = false;
  return {
    scene: (point, { store, world }, { process }) => {
      if (point !== "switch-before-swap" || set) return;
      set = true;
      Object.assign(store.faults, { lateRequest: 1 });
      store.lateMs = [170, 400];
      world.after(5, () => {
        Object.assign(store.faults, { lateRequest: 0 });
        process.stop(500);
      });
    },
    activeMs: 1500,
  };
};

/** Around the swap, somebody ends the session that has the old home locked; somebody else writes there. */
export const lockLostAroundSwap: Scene = (point, run) => {
  if (point !== "switch-before-swap" || run.document.attempt?.kind !== "switch") return;
  const { random } = run.world;
  run.world.after(random.between(0, 6), () => run.killSession(run.servers.old));
  for (let more = 0; more < 3; more += 1) run.world.after(random.between(0, 15), () => run.writePast(run.servers.old));
};

/** Well before the swap, somebody ends the session that has the old home locked; somebody else writes there. */
export const lockLostBeforeSwap: Scene = (point, run) => {
  if (point !== "switch-after-stray-check" || run.document.attempt?.kind !== "switch") return;
  run.killSession(run.servers.old);
  run.writePast(run.servers.old);
};

/** While clients still work on the old home, somebody writes to the new one, which bears no fence before a first switch. */
export const writesToNewHome: Scene = (point, run) => {
  if (point !== "switch-after-clear" || run.document.fenceToken !== undefined) return;
  run.world.after(run.world.random.between(0, 10), () => run.writePast(run.servers.new));
};

/** Once the old home has drained, somebody begins to read there, for long. */
export const longReaders: Scene = (point, { world, servers }) => {
  if (point !== "switch-after-drain") return;
  const server = servers.old;
  world.after(world.random.between(0, 4), () => {
    void server.readFor(server.connect(undefined, false), 2500).catch(() => undefined);
  });
};

/** As soon as clients are held, all controllers die, and none comes in their place. */
export const noControllersLeft: Scene = (point, { controllers }) => {
  if (point !== "switch-after-hold") return;
  for (const { process } of controllers) process.kill();
};

/** After a switch nobody asks for another, and the store goes away for long. */
export const storeAwayInPeace: Scene = (point, { controllers, store, world }) => {
  if (point !== "switch-after-guards") return;
  for (const controller of controllers) controller.busy = false;
  world.after(60, () => {
    if (store.away) return;
    world.note("the store is away");
    store.awayUntil = world.now + 1500;
  });
};

/** When a switch begins, another proxy joins, over a link to the store that is slow. */
export const slowProxyJoins: Scene = (point, run) => {
  if (point === "switch-after-gate" && run.proxies.length < 5) run.addProxy(run.world.random.between(5, 30));
};

/**
 * 1. A controller is stopped during a switch; the next one takes over and aborts.
 * 2. That one is stopped too, `laterMs` after it has unlocked: before or while it puts the fence back on the server that
 *    is not the home.
 * 3. The first wakes, leads again, finishes, and switches.
 * 4. The second wakes, and goes on with the fence.
 */
export const lateFence = (laterMs: readonly [number, number]) => (): Partial<RunOptions> => {
  let stopped = 0;
  return {
    scene: (point, { world, document }, { process }) => {
      if (document.fenceToken === undefined) return;
      if (point === "switch-after-drain" && stopped === 0) {
        stopped = 1;
        process.stop(400);
      } else if (point === "abort-after-unlock" && stopped === 1) {
        stopped = 2;
        const stop = (): void => process.stop(world.random.between(300, 1300));
        if (laterMs[1] === 0) stop();
        else world.after(world.random.between(...laterMs), stop);
      }
    },
    activeMs: 2500,
  };
};

/**
 * 1. While they are armed, a proxy is stopped for longer than its lease; what it has sent before is still on its way.
 * 2. The tables move, the old home is unlocked, and the controller is stopped before the stream back has begun.
 * 3. What the proxy had sent arrives.
 */
export const stoppedWhileArmed: Scene = (point, { proxies }, { process }) => {
  if (point === "switch-after-arm") proxies[0]?.process.stop(600);
  if (point === "switch-after-unlock") process.stop(300);
};

/** When a switch begins, a proxy loses the store, but neither its clients nor the servers, for longer than its lease. */
export const cutOffBeforeArming: Scene = (point, { proxies }) => {
  if (point === "switch-after-gate") proxies[0]?.process.cutOff(900);
};

/**
 * 1. Around its swap, a controller's session on the old home is ended by somebody.
 * 2. The controller learns of it, makes sure that it leads, and is stopped before it has locked the old home again.
 * 3. The next one finishes, and switches on.
 * 4. The first wakes, and locks what has become the home again.
 */
export const lateRegain = (): Partial<RunOptions> => {
  let left = 3;
  return {
    scene: (point, run, { process }) => {
      const { world, servers, document } = run;
      if (point !== "switch-before-swap" || left === 0) return;
      left -= 1;
      const server = document.attempt?.kind === "switch" ? servers.old : servers.new;
      world.after(world.random.between(1, 5), () => run.killSession(server));
      world.after(world.random.between(6, 20), () => process.stop(world.random.between(300, 1300)));
    },
    activeMs: 2500,
  };
};

/**
 * 1. Around its swap, a controller's session on the old home is ended by somebody.
 * 2. It asks the journal whether the attempt is still its own, and is stopped with the answer on its way.
 * 3. The next one finishes, and rolls back.
 * 4. The first wakes, hears that the attempt is its own, and asks for a lock on what has become the home again.
 */
export const lateLock = (): Partial<RunOptions> => {
  let left = 3;
  return {
    scene: (point, run, { process }) => {
      const { world, servers, document } = run;
      if (point !== "switch-before-swap" || left === 0) return;
      left -= 1;
      const server = document.attempt?.kind === "switch" ? servers.old : servers.new;
      world.after(world.random.between(1, 5), () => {
        run.killSession(server);
        // The first answer is asked for to make sure that it leads.
        process.stopsAtJournal = { answer: 2, ms: world.random.between(400, 1300) };
      });
    },
    proxies: 3,
    activeMs: 2500,
  };
};

/**
 * 1. A controller has rolled back, and is stopped before it begins the stream that follows the old home again.
 * 2. The next one finishes, begins that stream, and switches: it seals the stream's ledger.
 * 3. Around its swap somebody ends the session that has the old home locked, others write there, and it is stopped.
 * 4. The first wakes, and begins the stream by the token that its ledger still bears.
 */
export const lateReturn = (): Partial<RunOptions> => {
  let stage = 0;
  return {
    scene: (point, run, { process }) => {
      const { world, servers, document } = run;
      if (point === "switch-after-unlock" && document.attempt?.kind === "rollback" && stage === 0) {
        stage = 1;
        process.stop(world.random.between(300, 700));
      } else if (point === "switch-before-swap" && document.attempt?.kind === "switch" && stage === 1) {
        stage = 2;
        world.after(world.random.between(2, 6), () => run.killSession(servers.old));
        for (let more = 0; more < 3; more += 1)
          world.after(world.random.between(4, 30), () => run.writePast(servers.old));
        world.after(world.random.between(6, 12), () => process.stop(400));
      }
    },
    activeMs: 2500,
  };
};

/**
 * 1. A controller is stopped when it is about to seal the ledger of the stream that feeds the new home.
 * 2. The next one aborts the attempt, and the stream goes on.
 * 3. The first wakes, and seals.
 */
export const lateSeal = (): Partial<RunOptions> => {
  let set = false;
  return {
    scene: (point, { world, document }, { process }) => {
      if (point !== "switch-after-fence" || document.fenceToken === undefined || set) return;
      set = true;
      world.after(world.random.between(0.5, 3), () => process.stop(world.random.between(200, 500)));
    },
    activeMs: 2000,
  };
};

/**
 * 1. A controller has written its attempt, and is stopped before it opens its sessions on the servers.
 * 2. The next one aborts the attempt: nobody holds anything.
 * 3. The first wakes, and opens them.
 */
export const lateSessions: Scene = (point, { world }, { process }) => {
  if (point === "switch-after-journal" && world.random.chance(0.5)) process.stop(world.random.between(250, 600));
};

/**
 * 1. The hold is written, and its answer lost; the proxies have drained and say so.
 * 2. The clock of one of them jumps: by it the hold is over its time, and it removes it.
 * 3. Another, over a link that is slow, lets its clients go on, and its word that it has drained stands a while longer.
 * 4. The controller reads the rules, which show no hold.
 */
export const holdGivenUpEarly: Scene = (point, { world, store, proxies }) => {
  const [slow, early] = proxies;
  if (point !== "switch-after-arm" || slow === undefined || early === undefined) return;
  Object.assign(store.faults, { lostAnswer: 1 });
  slow.process.linkMs = world.random.between(15, 40);
  world.after(1, () => Object.assign(store.faults, { lostAnswer: 0 }));
  world.after(world.random.between(70, 120), () => early.process.jumpClock(700));
};

/** While they are armed, a proxy's machine vanishes, and another process begins in its place a moment later. */
export const vanishesWhileArmed: Scene = (point, run) => {
  const [proxy] = run.proxies;
  if (point === "switch-after-arm" && proxy !== undefined) run.loseMachine(proxy, run.world.random.between(5, 60));
};

/** When a switch has got past its gate, somebody alters the table. */
export const alteredMeanwhile: Scene = (point, run) => {
  if (point === "switch-after-sessions" && run.world.random.chance(0.5)) alterTable(run);
};

/**
 * 1. The tables are locked on the old home. 2. Somebody there waits for them, in order to alter one. 3. They leave, or the attempt
 * is aborted.
 */
export const alteredBehindFence: Scene = (point, run) => {
  if (point === "switch-after-fence" && run.world.random.chance(0.5)) alterWhenFree(run);
};

/** Either, or both. */
export const alteredAtAnyTime: Scene = (...at) => {
  alteredMeanwhile(...at);
  alteredBehindFence(...at);
};
