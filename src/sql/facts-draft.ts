import type {
  BeginForm,
  DynamicStatement,
  KillTarget,
  RoutineRef,
  SetAssignment,
  SideEffect,
  StatementFacts,
  StatementKind,
  TableRef,
  XaStatement,
} from "./statement.ts";

const NO_TABLES: readonly TableRef[] = [];
const NO_EFFECTS: readonly SideEffect[] = [];

/** The facts of a statement while it is being read. */
export class FactsDraft {
  kind: StatementKind = "other";
  tables: TableRef[] | undefined;
  everythingBecause: string | undefined;
  #calls: RoutineRef[] | undefined;
  /** Something other than a call makes it touch everything. */
  #opaque = false;
  routeHint: string | undefined;
  readOnly = false;
  causesImplicitCommit = false;
  locksUserLevel = false;
  wholeServer: boolean | undefined;
  effects: SideEffect[] | undefined;
  userVariables: readonly string[] | undefined;
  beginForm: BeginForm | undefined;
  chain: boolean | undefined;
  release: boolean | undefined;
  savepoint: StatementFacts["savepoint"];
  setAssignments: SetAssignment[] | undefined;
  useSchema: string | undefined;
  createsTemporaryTable: TableRef | undefined;
  dropsTables: TableRef[] | undefined;
  handler: StatementFacts["handler"];
  backupLock: StatementFacts["backupLock"];
  dynamic: DynamicStatement | undefined;
  xa: XaStatement | undefined;
  kill: KillTarget | undefined;
  listsServer: boolean | undefined;

  addTable(ref: TableRef): void {
    if (this.tables === undefined) this.tables = [ref];
    else this.tables.push(ref);
  }

  /** The first reason stays. */
  touchesEverything(because: string): void {
    this.everythingBecause ??= because;
    this.#opaque = true;
  }

  /** It calls what may be a stored routine, which may touch any table unless it is known what that one does. */
  callsRoutine(ref: RoutineRef, because: string): void {
    this.everythingBecause ??= because;
    if (this.#calls === undefined) this.#calls = [ref];
    else this.#calls.push(ref);
  }

  /** As {@link touchesEverything}, of one server only. */
  touchesWholeServer(because: string): void {
    this.touchesEverything(because);
    this.wholeServer = true;
  }

  addEffect(effect: SideEffect): void {
    if (this.effects === undefined) this.effects = [effect];
    else if (!this.effects.includes(effect)) this.effects.push(effect);
  }

  finish(start: number, end: number): StatementFacts {
    return {
      kind: this.kind,
      start,
      end,
      tables: this.tables ?? NO_TABLES,
      touchesEverything: this.everythingBecause !== undefined,
      everythingBecause: this.everythingBecause,
      calls: this.#opaque ? undefined : this.#calls,
      routeHint: this.routeHint,
      readOnly: this.readOnly,
      causesImplicitCommit: this.causesImplicitCommit,
      locksUserLevel: this.locksUserLevel,
      wholeServer: this.wholeServer,
      effects: this.effects ?? NO_EFFECTS,
      userVariables: this.userVariables,
      beginForm: this.beginForm,
      chain: this.chain,
      release: this.release,
      savepoint: this.savepoint,
      setAssignments: this.setAssignments,
      useSchema: this.useSchema,
      createsTemporaryTable: this.createsTemporaryTable,
      dropsTables: this.dropsTables,
      handler: this.handler,
      backupLock: this.backupLock,
      xa: this.xa,
      dynamic: this.dynamic,
      kill: this.kill,
      listsServer: this.listsServer,
    };
  }
}
