import { STATUS } from "../wire/capabilities.ts";
import type { Cause } from "./cause.ts";

type State =
  | { readonly is: "none" }
  /** Begun by the client; no server knows of it. */
  | { readonly is: "lazy"; readonly begin: Beginning; readonly savepoints: readonly string[] }
  | {
      readonly is: "open";
      readonly backend: string;
      /** How it was begun, while it has used no table and may still be begun elsewhere. */
      readonly unused?: Beginning | undefined;
    };

/** The statements that begin a transaction anew. */
interface Beginning {
  readonly readOnly: boolean;
  readonly statements: readonly (string | Buffer)[];
}

type Form = "plain" | "read-only" | "read-write";

const NONE: State = { is: "none" };

/**
 * The transaction of a session. A plain BEGIN is answered at once and sent to a server only ahead of the first
 * statement that needs one: until then any backend may be chosen. Savepoints made meanwhile are replayed.
 */
export class SessionTransaction {
  #state: State = NONE;
  /** It is a distributed one. */
  #xa = false;
  #cause: Cause | undefined;

  get isNone(): boolean {
    return this.#state.is === "none";
  }

  get isLazy(): boolean {
    return this.#state.is === "lazy";
  }

  /** The backend on which it is open. */
  get backend(): string | undefined {
    return this.#state.is === "open" ? this.#state.backend : undefined;
  }

  /** Status flags that replies must show while no server knows of the transaction. */
  get lazyFlags(): number {
    if (this.#state.is !== "lazy") return 0;
    return this.#state.begin.readOnly ? STATUS.IN_TRANS | STATUS.IN_TRANS_READONLY : STATUS.IN_TRANS;
  }

  /** It is for reading only, and no server knows of it. */
  get readsOnly(): boolean {
    return this.#state.is === "lazy" && this.#state.begin.readOnly;
  }

  /** The client has begun a transaction that no server needs to know of yet. */
  begin(form: Form): void {
    this.#xa = false;
    this.#state = { is: "lazy", begin: beginning(form, []), savepoints: [] };
  }

  /** The client has begun a distributed transaction by this statement, and no server needs to know of it yet. */
  beginXa(statement: Buffer): void {
    this.#xa = true;
    this.#state = { is: "lazy", begin: { readOnly: false, statements: [statement] }, savepoints: [] };
  }

  /** The open transaction is a distributed one. */
  begunXa(): void {
    this.#xa = !this.isNone;
  }

  /** Whether it is a distributed one, which only statements about its own kind can end. */
  get isXa(): boolean {
    return this.#xa && !this.isNone;
  }

  /** The server has begun a transaction in this form, behind these statements about it, and none of its tables is used. */
  begun(form: Form, ahead: readonly string[]): void {
    if (this.#state.is === "open") this.#state = { ...this.#state, unused: beginning(form, ahead) };
  }

  /** Whether it could be begun at another backend just as well as where it is open. */
  get mayFollow(): boolean {
    return this.#state.is === "open" && this.#state.unused !== undefined;
  }

  /** It has ended where it was open, and is to be begun anew wherever the next statement goes. Only if it {@link mayFollow}. */
  follow(): void {
    const state = this.#state;
    if (state.is !== "open" || state.unused === undefined) return;
    this.#state = { is: "lazy", begin: state.unused, savepoints: [] };
    this.#cause = undefined;
  }

  /** What the server must be told before the first statement: BEGIN, and then each savepoint. Only while lazy. */
  get opening(): readonly (string | Buffer)[] {
    if (this.#state.is !== "lazy") return [];
    return [
      ...this.#state.begin.statements,
      ...this.#state.savepoints.map((name) => `SAVEPOINT \`${name.replaceAll("`", "``")}\``),
    ];
  }

  /** The statement that has opened it on a backend. */
  get cause(): Cause | undefined {
    return this.#cause;
  }

  /** Where it is open and nobody has said yet by which statement. */
  causedBy(cause: Cause): void {
    if (this.#state.is === "open") this.#cause ??= cause;
  }

  /** BEGIN goes to `backend` in this turn. */
  opened(backend: string): void {
    this.#state = { is: "open", backend };
  }

  /** It has ended, or its BEGIN has failed. */
  ended(): void {
    this.#xa = false;
    this.#state = NONE;
    this.#cause = undefined;
  }

  /** COMMIT or ROLLBACK AND CHAIN while lazy: one of the same kind begins, without savepoints. */
  restart(): void {
    if (this.#state.is === "lazy") this.#state = { ...this.#state, savepoints: [] };
  }

  /** What a backend says of itself at the end of a statement, which has left a transaction as it was if it `usedNone`. */
  told(backend: string, inTransaction: boolean, usedNone = false): void {
    const state = this.#state;
    const here = state.is === "open" && state.backend === backend;
    if (!inTransaction) {
      if (here) this.ended();
    } else if (!here || (state.unused !== undefined && !usedNone)) this.#state = { is: "open", backend };
  }

  /** A savepoint while lazy; one of the same name gives way. */
  addSavepoint(name: string): void {
    const state = this.#state;
    if (state.is !== "lazy") return;
    const others = state.savepoints.filter((other) => !same(other, name));
    this.#state = { ...state, savepoints: [...others, name] };
  }

  /** ROLLBACK TO and RELEASE while lazy. False where there is no savepoint of that name. */
  backTo(name: string, action: "rollback-to" | "release"): boolean {
    const state = this.#state;
    if (state.is !== "lazy") return false;
    const at = state.savepoints.findIndex((other) => same(other, name));
    if (at < 0) return false;
    this.#state = { ...state, savepoints: state.savepoints.slice(0, action === "release" ? at : at + 1) };
    return true;
  }
}

function beginning(form: Form, ahead: readonly string[]): Beginning {
  const begin = form === "plain" ? "BEGIN" : `START TRANSACTION ${form === "read-only" ? "READ ONLY" : "READ WRITE"}`;
  return { readOnly: form === "read-only", statements: [...ahead, begin] };
}

function same(left: string, right: string): boolean {
  return left.toLowerCase() === right.toLowerCase();
}
