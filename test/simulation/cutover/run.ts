import type { Failpoint } from "../../../src/base/failpoints.ts";
import { forgetProxy } from "../../../src/cutover/forget-proxy.ts";
import { migrationKey } from "../../../src/cutover/journal.ts";
import type { MigrationDocument } from "../../../src/cutover/migration-document.ts";
import { parseStreamClaim } from "../../../src/rules/controller-documents.ts";
import type { RulesDocument } from "../../../src/rules/rules-document.ts";
import { homeOf, initialRules } from "../../../src/rules/rules-edits.ts";
import { PROXIES_PREFIX, RULES_KEY } from "../../../src/rules/store-keys.ts";
import { alterTable } from "./alterations.ts";
import { Checker } from "./checker.ts";
import { AT_PEACE, watchPhases } from "./reached.ts";
import { LIMITS, type RunOptions, type RunResult, WAIT_MAX_MS } from "./run-options.ts";
import { CLAIM, SimController } from "./sim-controller.ts";
import { MIGRATION, SimHome, TABLE } from "./sim-home.ts";
import { SimProxy } from "./sim-proxy.ts";
import { type Connection, SimServer } from "./sim-server.ts";
import { faultsOf, SimStore, SimStoreServer } from "./sim-store.ts";
import { PROXY_LEASE_MS } from "./sim-times.ts";
import { Random, SimProcess, World } from "./world.ts";

const SLOW_SHARE = 0.01;
const LEADER_LEASE_MS = 150;
/** Less than a diff may be old by the wall clock, over all the jumps of a run. */
const WALL_JUMP_MAX_MS = 60_000;
/** How much longer faults may last until a first attempt has begun. */
const FIRST_ATTEMPT_MS = 5000;

/** One run of the whole protocol: servers, store, controllers, proxies, clients. Ends healed and quiet. */
export class Run {
  readonly world: World;
  readonly checker: Checker;
  readonly store: SimStoreServer;
  readonly servers: { readonly old: SimServer; readonly new: SimServer };
  readonly options: RunOptions;
  controllers: SimController[] = [];
  proxies: SimProxy[] = [];
  readonly #all: SimController[] = [];
  readonly #parsed = new Map<string, { readonly value: string; readonly document: unknown }>();
  #processes = 0;
  #attempts = 0;
  /** When the journal named an attempt no more. */
  readonly #attemptsEndedAt: number[] = [];
  #leaderBefore: string | undefined;
  #healing = false;
  #finishing = false;

  constructor(options: RunOptions) {
    this.options = options;
    this.world = new World(options.seed);
    watchPhases(this.world.reached);
    this.checker = new Checker(this.world);
    this.store = new SimStoreServer(this.world);
    this.servers = { old: new SimServer(this.world, "old"), new: new SimServer(this.world, "new") };
    for (const server of [this.servers.old, this.servers.new]) {
      server.onSessionEnded = ({ sessionOf }, by, foundAt) =>
        this.checker.sessionEnded(sessionOf, by, foundAt, this.#leader());
      server.epochs = options.epochsOff !== true;
      server.seals = options.sealsOff !== true;
      server.sealsByHolder = options.lateSeals !== true;
      server.guardsPassAll = options.guardsPassAll === true;
      server.sessionsShared = options.sessionsShared === true;
      server.isLate = ({ sessionOf }, askedAt) => sessionOf !== undefined && this.#isLate(server, sessionOf, askedAt);
    }
    this.checker.bypassed = this.options.fence === "none";
    this.checker.kills = options.kills !== undefined;
    this.checker.strictWaits = options.strictWaits === true;
    this.checker.watch(this.servers.old);
    this.checker.watch(this.servers.new);
    this.checker.home = () => homeOf(this.rules, TABLE);
  }

  get rules(): RulesDocument {
    return this.#parse(RULES_KEY) as RulesDocument;
  }

  get document(): MigrationDocument {
    return this.#parse(migrationKey(MIGRATION)) as MigrationDocument;
  }

  /** Who runs the migration by the store's word. */
  #leader(): string | undefined {
    const claim = this.store.state.get(CLAIM);
    return claim === undefined ? undefined : parseStreamClaim(claim).controller;
  }

  /**
   * Whether a table lock on what has become the home is one that nobody can keep from being asked for: its controller was
   * stopped once the journal had answered it, and its attempt was ended by another before it asked. See SPEC.md, "Not proven
   * here".
   */
  #isLate(server: SimServer, { name, journalAt, lastStop }: SimProcess, askedAt: number): boolean {
    const stopped = journalAt < lastStop.to && lastStop.to <= askedAt;
    const over = this.#attemptsEndedAt.some((at) => journalAt < at && at <= askedAt);
    return stopped && over && name !== this.#leader() && this.checker.home() === server.name;
  }

  /** Checks look at the documents at every step; they change rarely. */
  #parse(key: string): unknown {
    const value = this.store.state.get(key)?.value ?? "{}";
    const known = this.#parsed.get(key);
    if (known?.value === value) return known.document;
    const document: unknown = JSON.parse(value);
    this.#parsed.set(key, { value, document });
    return document;
  }

  async go(): Promise<RunResult> {
    const { world, checker } = this;
    this.#setUp();
    const { proxies = 2, controllers = 2 } = this.options;
    for (let index = 0; index < Math.max(proxies, controllers); index += 1) {
      if (index < proxies) this.addProxy();
      if (index < controllers) this.#addController();
    }
    if (this.options.bypass !== false) void this.#bypass();
    this.#makeTrouble();
    if (this.options.wallClocks === true) this.#setWallClocks();
    await world.run(this.options.activeMs ?? 2000);
    // Faults can keep everybody from beginning anything; a run without an attempt would say nothing.
    await world.run(FIRST_ATTEMPT_MS, () => this.#attempts > 0);
    this.#heal();
    const quiet = await world.run(20_000, () => this.#quiet());
    if (!quiet) checker.breaches.push(`the system did not come to rest: ${this.#state()}`);
    this.#finishing = true;
    for (const proxy of this.proxies) proxy.finish();
    const ended = await world.run(5000, () => this.proxies.every((proxy) => proxy.process.dead || proxy.idle));
    if (!ended) checker.breaches.push("a client is still waiting for a statement");
    if (!(await world.run(5000, () => this.#returned()))) checker.breaches.push("the stream back has not caught up");
    const home = this.checker.home() === "old" ? this.servers.old : this.servers.new;
    checker.final(
      home,
      home === this.servers.old ? this.servers.new : this.servers.old,
      this.options.unfenced !== true,
    );
    return {
      breaches: checker.breaches,
      outcomes: this.#all.flatMap((controller) => controller.outcomes),
      pausesMs: this.#all.flatMap((controller) => controller.pausesMs),
      errors: checker.errors,
      lateLocks: checker.lateLocks,
      attempts: this.#attempts,
      reached: world.reached.cells,
      get trace() {
        return world.trace;
      },
    };
  }

  #setUp(): void {
    const { faults } = this.options;
    const document: MigrationDocument = {
      format: 3,
      id: MIGRATION,
      source: "old",
      target: "new",
      sourceUuid: "u-old",
      targetUuid: "u-new",
      tables: [TABLE],
      createdTables: [TABLE],
      createdSchemas: [],
      onDdl: "stop",
      phase: "running",
      streams: { forward: {}, reverse: {} },
      diffs: [
        {
          direction: "forward",
          finishedAt: new Date(1_700_000_000_000).toISOString(),
          verifiedAt: "",
          rows: 0,
          differences: 0,
        },
      ],
      generation: 1,
      switchId: "",
      history: [{ at: new Date(1_700_000_000_000).toISOString(), who: "sim", what: "created" }],
    };
    this.store.apply(
      [],
      [
        { put: RULES_KEY, value: JSON.stringify(initialRules("old")) },
        { put: migrationKey(MIGRATION), value: JSON.stringify(document) },
      ],
    );
    this.#watchRules();
    Object.assign(this.store.faults, faultsOf(faults.messages ?? 0));
    const quiet = Object.keys(faults).length === 0 && this.options.scene === undefined;
    if (this.options.waitMaxMs !== undefined || quiet) this.checker.waitMaxMs = this.options.waitMaxMs ?? WAIT_MAX_MS;
  }

  /** Tells the checks when an attempt begins and when the tables change hands. */
  #watchRules(): void {
    let switchId = "";
    let armed: string | undefined;
    let before = { rules: this.rules, journal: this.document };
    this.store.onApplied = (sender, sentAt) => {
      const { rules, servers } = this;
      const now = { rules, journal: this.document };
      const ended = before.journal.attempt !== undefined && now.journal.attempt?.token !== before.journal.attempt.token;
      if (ended) this.#attemptsEndedAt.push(this.world.now);
      if (now.rules !== before.rules || now.journal !== before.journal) this.checker.documents(before, now);
      before = now;
      const { attempt } = now.journal;
      if (attempt === undefined) this.world.reached.at = AT_PEACE;
      this.#newLeader(now.journal);
      if (attempt === undefined || attempt.state === "aborting")
        this.checker.settled(this.checker.home() === "old" ? servers.old : servers.new);
      const token = rules.armed[MIGRATION]?.token;
      if (token !== armed && token !== undefined) this.checker.armed([servers.old, servers.new]);
      armed = token;
      if (rules.switchId === switchId) return;
      switchId = rules.switchId;
      const newHome = this.checker.home() === "old" ? servers.old : servers.new;
      this.world.note(`the tables are at home on ${newHome.name}`);
      this.checker.swapped(sender, sentAt, newHome);
    };
  }

  /** What a controller finds that begins to run the migration. */
  #newLeader({ attempt, fenceToken }: MigrationDocument): void {
    const leader = this.#leader();
    if (leader !== undefined && leader !== this.#leaderBefore) {
      const open = attempt?.token === fenceToken ? "that has swapped" : "that may still swap";
      const left = attempt?.state === "aborting" ? "being aborted" : open;
      this.world.reached.cell(attempt === undefined ? "no attempt" : `an attempt ${left}`);
    }
    this.#leaderBefore = leader;
  }

  /** Another proxy begins; each message between it and the store takes `linkMs` longer than others' do. */
  addProxy(linkMs = 0, id?: string): void {
    if (this.#finishing) return;
    const process = new SimProcess(this.world, `proxy${++this.#processes}`);
    process.linkMs = linkMs;
    const store = new SimStore(this.store, process);
    const { world, servers, checker } = this;
    this.proxies.push(
      new SimProxy({
        world,
        process,
        id: id ?? process.name,
        store,
        servers,
        checker,
        clients: 2,
        leaseTtlMs: PROXY_LEASE_MS,
        licensed: this.options.licenceOff !== true,
        weakness: this.options.weakProxy,
        slowShare: this.options.slowShare ?? SLOW_SHARE,
        lateWatch: this.options.lateWatch === true,
      }),
    );
  }

  #addController(): void {
    const process = new SimProcess(this.world, `controller${++this.#processes}`);
    const { world, servers, checker } = this;
    const controller = new SimController({
      world,
      process,
      store: new SimStore(this.store, process),
      servers,
      checker,
      limits: this.options.kills === undefined ? LIMITS : { ...LIMITS, drainTimeoutMs: this.options.kills },
      kills: this.options.kills !== undefined,
      fence: this.options.fence,
      leaseTtlMs: LEADER_LEASE_MS,
      // In some runs the migration is handed over from time to time; where a scene is played, by its story alone.
      ordersPerClaim: this.options.scene === undefined && this.options.seed % 3 === 0 ? 2 : Number.POSITIVE_INFINITY,
      disturb: (point, who) => this.#disturb(point, who),
      ...(this.options.weaken === undefined ? {} : { weaken: this.options.weaken }),
    });
    controller.busy = !this.#healing;
    this.controllers.push(controller);
    this.#all.push(controller);
  }

  #disturb(point: Failpoint, controller: SimController): void {
    const { random, reached } = this.world;
    reached.at = point;
    if (point === "switch-after-gate") this.#attempts += 1;
    if (!this.#healing) this.options.scene?.(point, this, controller);
    if (this.#healing || !random.chance(this.options.faults.controller ?? 0)) return;
    this.world.note(`trouble at ${point}`);
    const kind = random.next();
    if (kind < 0.35) {
      controller.process.kill();
      this.world.after(random.between(20, 300), () => this.#replace(controller));
    } else if (kind < 0.8) controller.process.stop(random.between(50, 900));
    else controller.process.cutOff(random.between(50, 500));
  }

  #replace(controller: SimController): void {
    this.controllers = this.controllers.filter((one) => one !== controller);
    this.#addController();
  }

  #makeTrouble(): void {
    const { world, options } = this;
    if (this.#healing) return;
    const { random } = world;
    if (options.faults.storeAway === true && random.chance(0.15)) {
      this.store.awayUntil = world.now + random.between(20, 900);
      world.note("the store is away");
      world.reached.fault("the store is away");
    }
    if (options.faults.sessions === true && random.chance(0.2))
      this.killSession(random.pick([this.servers.old, this.servers.new]));
    if (options.faults.proxies === true && random.chance(0.25)) this.#troubleProxy();
    if (options.faults.leases === true && random.chance(0.2)) this.store.endSome(random);
    if (options.faults.clocks === true && random.chance(0.2)) this.#troubleClock();
    if (options.faults.ddl === true && random.chance(0.15)) alterTable(this);
    if (options.faults.machines === true && random.chance(0.15)) this.#troubleMachine();
    world.after(random.between(30, 120), () => this.#makeTrouble());
  }

  killSession(server: SimServer): void {
    if (server.namedLock === undefined) return;
    this.world.note(`the migration's session on ${server.name} is KILLed by somebody`);
    const which = server.name === this.checker.home() ? "home" : "other server";
    this.world.reached.fault(`a session KILLed on the ${which}`);
    server.namedLock.endedByOthers = true;
    server.close(server.namedLock);
  }

  #troubleProxy(): void {
    const { random } = this.world;
    if (this.proxies.length === 0) return;
    const proxy = random.pick(this.proxies);
    const kind = random.next();
    if (kind < 0.3) proxy.process.stop(random.between(50, 800));
    else if (kind < 0.55) proxy.process.cutOff(random.between(50, 800));
    else if (kind < 0.75) proxy.process.deafen(random.between(50, 800));
    else {
      proxy.process.kill();
      this.proxies = this.proxies.filter((one) => one !== proxy);
      this.world.after(random.between(20, 200), () => {
        // Whoever started the process has seen it end.
        this.store.apply([], [{ delete: PROXIES_PREFIX + proxy.id }]);
        this.addProxy();
      });
    }
  }

  #troubleClock(): void {
    const { random } = this.world;
    const { process } = random.pick([...this.proxies, ...this.controllers]);
    const kind = random.next();
    if (kind < 0.4) process.jumpClock(random.between(20, 1500));
    else if (kind < 0.7) process.stallClock(random.between(20, 800));
    else {
      // A machine that sleeps: the process does nothing, and the clock does not count the time.
      const ms = random.between(50, 800);
      process.stop(ms);
      process.stallClock(ms);
    }
  }

  /** By another generator, so that all else goes as it would have gone. */
  #setWallClocks(): void {
    const random = new Random(this.options.seed + 1);
    const set = (): void => {
      for (const { process } of [...this.proxies, ...this.controllers])
        process.clock.setWall(random.between(-WALL_JUMP_MAX_MS, WALL_JUMP_MAX_MS));
      this.world.after(7, set);
    };
    set();
  }

  #troubleMachine(): void {
    const { random } = this.world;
    if (this.proxies.length > 0) this.loseMachine(random.pick(this.proxies), random.between(20, 300));
  }

  /** A proxy's machine vanishes; `laterMs` after that another proxy begins in its place. */
  loseMachine(proxy: SimProxy, laterMs: number): void {
    const { options, world } = this;
    proxy.process.vanish();
    this.proxies = this.proxies.filter((one) => one !== proxy);
    const id = options.weakProxy === "comes-back-under-its-id" ? proxy.id : undefined;
    world.after(laterMs, () => this.addProxy(0, id));
    if (id === undefined) void this.#forget(proxy.id);
  }

  /** Somebody who knows that a proxy has ended for good has it forgotten. */
  async #forget(id: string): Promise<void> {
    const { world, store, servers } = this;
    const process = new SimProcess(world, `forgetter${++this.#processes}`);
    const options = {
      store: new SimStore(store, process),
      clock: process.clock,
      servers: [servers.old, servers.new].map((server) => new SimHome(server, process).connections()),
      leadership: [],
      killTimeoutMs: LIMITS.killTimeoutMs,
    };
    for (let done = false; !done; ) {
      await world.delay(world.random.between(50, 400));
      done = await forgetProxy(id, options).then(
        () => true,
        () => false,
      );
    }
  }

  /** Somebody writes once, straight to a server. */
  writePast(server: SimServer): void {
    const write = { client: `bypass${++this.#processes}`, sequence: 1, id: 0 };
    void server.insert(server.connect(undefined, false), write, true).then(
      () => this.checker.acknowledged([write]),
      () => undefined,
    );
  }

  /** Somebody who writes straight to the old server, whatever is going on. */
  async #bypass(): Promise<void> {
    const { world, checker } = this;
    const server = this.servers.old;
    let connection: Connection = server.connect(undefined, false);
    for (let sequence = 1; !this.#healing; sequence += 1) {
      await world.delay(world.random.between(2, 60));
      if (!connection.open) connection = server.connect(undefined, false);
      const write = { client: "bypass", sequence, id: 0 };
      await server.insert(connection, write, true).then(
        () => checker.acknowledged([write]),
        () => undefined,
      );
    }
  }

  #heal(): void {
    this.#healing = true;
    this.world.note("all faults end");
    Object.assign(this.store.faults, faultsOf(0));
    this.store.awayUntil = 0;
    for (const controller of this.controllers) controller.busy = false;
    if (this.controllers.every((controller) => controller.process.dead)) this.#addController();
  }

  /** Nothing of an attempt is left anywhere, and the server that is not the home refuses writes. */
  #quiet(): boolean {
    const { rules, document, servers } = this;
    if (document.attempt !== undefined || Object.keys(rules.armed).length + Object.keys(rules.holds).length > 0)
      return false;
    if (servers.old.lockOwner !== undefined || servers.new.lockOwner !== undefined) return false;
    if (this.controllers.some(({ working, process }) => working && !process.dead)) return false;
    // What a dead controller had open goes when its server looks for it.
    const sessions = [servers.old, servers.new].flatMap((server) => [...server.connections.values()]);
    if (sessions.some(({ sessionOf }) => sessionOf?.dead === false)) return false;
    if (document.fenceToken === undefined || this.options.unfenced === true) return true;
    const [home, other] = this.checker.home() === "old" ? [servers.old, servers.new] : [servers.new, servers.old];
    if (home.fence !== undefined || other.fence !== document.fenceToken) return false;
    // The stream back has brought the old home up to date.
    const direction = this.checker.home() === "old" ? "forward" : "reverse";
    return other.ledger(direction).token === document.fenceToken;
  }

  /** Whether the server that is not the home has all that the home has taken. */
  #returned(): boolean {
    const { servers, document } = this;
    if (this.options.unfenced === true) return true;
    const [home, other, direction] =
      this.checker.home() === "old"
        ? ([servers.old, servers.new, "forward"] as const)
        : ([servers.new, servers.old, "reverse"] as const);
    const ledger = other.ledger(direction);
    return ledger.token === document.fenceToken && ledger.position === home.log.length;
  }

  #state(): string {
    const { rules, document, servers } = this;
    return JSON.stringify({
      attempt: document.attempt,
      phase: document.phase,
      armed: rules.armed,
      holds: rules.holds,
      locks: [servers.old.lockOwner?.id, servers.new.lockOwner?.id],
      fences: [servers.old.fence, servers.new.fence, document.fenceToken],
      sessions: [servers.old, servers.new].map((server) =>
        [...server.connections.values()].flatMap(({ id, sessionOf }) => (sessionOf?.dead === false ? [id] : [])),
      ),
      working: this.controllers.map((controller) => controller.working),
    });
  }
}

/** One run: the same seed and options always lead to the same trace. */
export async function simulate(options: RunOptions): Promise<RunResult> {
  // Errors are part of every run, by the hundred, and nobody looks at where they were made.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return await new Run(options).go();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}
