import type { NameScope, Routing } from "../rules/routing.ts";
import type { StatementFacts, TableRef } from "../sql/statement.ts";
import type { Cause, Tie } from "./cause.ts";

/** A temporary table of a session. */
interface Temporary {
  readonly backend: string;
  readonly cause?: Cause;
}

/**
 * What a session's names mean: its schema, and its temporary tables, which hide others of the same name and live on
 * one backend each.
 */
export class SessionNames {
  #schema: string | undefined;
  /** Temporary tables by key. */
  readonly #temporary = new Map<string, Temporary>();
  #scope: NameScope = {};

  get schema(): string | undefined {
    return this.#schema;
  }

  get scope(): NameScope {
    return this.#scope;
  }

  use(schema: string | undefined): void {
    this.#schema = schema;
    this.#rebuild();
  }

  /** The scope in which a statement was prepared that was prepared under another schema. */
  scopeWith(schema: string | undefined): NameScope {
    return schema === this.#schema ? this.#scope : scopeOf(schema, this.#temporary);
  }

  addTemporary(ref: TableRef, routing: Routing, backend: string): void {
    const key = routing.keyOf(ref, this.#schema);
    if (key === undefined) return;
    this.#temporary.set(key, { backend });
    this.#rebuild();
  }

  drop(refs: readonly TableRef[], routing: Routing): void {
    for (const ref of refs) {
      const key = routing.keyOf(ref, this.#schema);
      if (key !== undefined) this.#temporary.delete(key);
    }
    this.#rebuild();
  }

  dropAllTemporary(): void {
    this.#temporary.clear();
    this.#rebuild();
  }

  /** Backends whose temporary tables the statement names. */
  temporaryBackends(facts: StatementFacts, routing: Routing): readonly string[] {
    if (this.#temporary.size === 0) return [];
    const refs = [...facts.tables, ...(facts.dropsTables ?? [])];
    return refs.flatMap((ref) => {
      const key = routing.keyOf(ref, this.#schema);
      return (key === undefined ? undefined : this.#temporary.get(key)?.backend) ?? [];
    });
  }

  get temporaryTables(): number {
    return this.#temporary.size;
  }

  /** A temporary table at this backend, for messages. */
  temporaryAt(backend: string): string | undefined {
    for (const [key, { backend: at }] of this.#temporary) if (at === backend) return key;
    return undefined;
  }

  /** A temporary table that would be left behind by leaving for this backend. */
  temporaryElsewhere(backend: string): Tie | undefined {
    for (const [key, table] of this.#temporary) if (table.backend !== backend) return tieOf(key, table);
    return undefined;
  }

  /** What ties the session to where its temporary tables are. */
  get ties(): readonly (Tie & { readonly backend: string })[] {
    return [...this.#temporary].map(([key, table]) => ({ ...tieOf(key, table), backend: table.backend }));
  }

  /** Temporary tables that have come about since it was asked last came about by this statement. */
  explain(cause: () => Cause): void {
    for (const [key, table] of this.#temporary) {
      if (table.cause === undefined) this.#temporary.set(key, { ...table, cause: cause() });
    }
  }

  #rebuild(): void {
    this.#scope = scopeOf(this.#schema, this.#temporary);
  }
}

function tieOf(key: string, { cause }: Temporary): Tie {
  return { reason: `it has the temporary table ${key}`, cause };
}

function scopeOf(schema: string | undefined, temporary: ReadonlyMap<string, Temporary>): NameScope {
  if (temporary.size === 0) return { schema };
  return { schema, temporaryTables: new Set(temporary.keys()) };
}
