import type { NamesBehind } from "../rules/rules-document.ts";
import { SIDECAR_SCHEMA } from "../rules/sidecar-schema.ts";
import { exactTexts } from "./exact-texts.ts";
import { leftInSession } from "./left-in-session.ts";
import { namesBehind, type Touched } from "./names-behind.ts";
import type { ServerView } from "./server-view.ts";
import { type KnownNames, namesInBody, namesInView, type UsedNames } from "./used-names.ts";

/** Schemas of the server's and our own, as a list in SQL: nobody else's definitions are in them. */
export const SERVER_SCHEMAS = `('sys', 'mysql', 'information_schema', 'performance_schema', '${SIDECAR_SCHEMA}')`;
/** Triggers of ours are named so, as a pattern of LIKE; they guard one home, and touch nothing. */
export const OUR_TRIGGERS = "switchyard\\_%";
const SEEN_ROUTINES_SINCE = 80_020;

/** A view, trigger or routine, and what its text may use. */
interface Definition {
  readonly kind: "view" | "trigger" | "routine";
  /** In lower case; of a trigger the table that it is on. */
  readonly key: string;
  /** As the server spells it. */
  readonly spelled: string;
  readonly uses: UsedNames;
  /** What its body leaves in a session, see {@link leftInSession}. */
  readonly leaves: ReadonlySet<string>;
}

const ASKED = new WeakMap<ServerView, Promise<DefinitionsOfServer>>();

/** All views, triggers and routines of a server, as far as the account sees them. */
export class DefinitionsOfServer {
  readonly #tables: ReadonlyMap<string, readonly string[]>;
  readonly #definitions: readonly Definition[];
  readonly #byName = new Map<string, Definition[]>();
  /** Whether the account sees every routine and every schema's name: else a text may call what is not known. */
  readonly seesRoutines: boolean;

  private constructor(
    tables: ReadonlyMap<string, readonly string[]>,
    definitions: readonly Definition[],
    seesRoutines: boolean,
  ) {
    this.#tables = tables;
    this.#definitions = definitions;
    this.seesRoutines = seesRoutines;
    for (const one of definitions) {
      const name = `${one.kind} ${one.key}`;
      const others = this.#byName.get(name);
      if (others === undefined) this.#byName.set(name, [one]);
      else others.push(one);
    }
  }

  /** As {@link read}; asks only once for the checks of one preflight. */
  static of(server: ServerView): Promise<DefinitionsOfServer> {
    const known = ASKED.get(server) ?? DefinitionsOfServer.read(server);
    ASKED.set(server, known);
    return known;
  }

  /**
   * Asks the server; throws what the connection throws.
   *
   * @param ruled keys of tables that have rules, as those spell them: a text may name one that is not on this server any more
   */
  static async read(server: ServerView, ruled: readonly string[] = []): Promise<DefinitionsOfServer> {
    const [tables, routines, schemas] = [new Map<string, string[]>(), new Set<string>(), new Set<string>()];
    const whole = new Set<string>();
    const privileges = await server.privileges();
    for (const { db } of await server.rows("SELECT SCHEMA_NAME db FROM information_schema.SCHEMATA")) {
      schemas.add((db ?? "").toLowerCase());
      if (privileges.onSchema("SELECT", db ?? "")) whole.add((db ?? "").toLowerCase());
    }
    const tableRows = await server.rows(
      `SELECT TABLE_SCHEMA db, TABLE_NAME name FROM information_schema.TABLES WHERE TABLE_SCHEMA NOT IN ${SERVER_SCHEMAS}`,
    );
    for (const key of new Set([...tableRows.map(({ db, name }) => `${db}.${name}`), ...ruled])) {
      tables.set(key.toLowerCase(), [...(tables.get(key.toLowerCase()) ?? []), key]);
    }
    const routineRows = await exactTexts(
      server,
      await server.rows(
        "SELECT ROUTINE_TYPE kind, ROUTINE_SCHEMA db, ROUTINE_NAME name, ROUTINE_SCHEMA own_db, ROUTINE_NAME own_name, " +
          "ROUTINE_DEFINITION body, SQL_MODE mode " +
          `FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA NOT IN ${SERVER_SCHEMAS}`,
      ),
    );
    for (const { db, name } of routineRows) routines.add(`${db}.${name}`.toLowerCase());
    const known: KnownNames = { schemas, whole, tables: new Set(tables.keys()), routines };
    const variables = new Set<string>();
    for (const row of await server.rows("SELECT VARIABLE_NAME name FROM performance_schema.session_variables")) {
      variables.add((row["name"] ?? "").toLowerCase());
    }
    const definitions = [
      ...(await views(server)),
      ...(await triggers(server, known, variables)),
      ...routineRows.map((row) =>
        defined("routine", `${row["db"]}.${row["name"]}`, row["db"] ?? "", row, { known, variables }),
      ),
    ];
    return new DefinitionsOfServer(tables, definitions, await seesRoutines(server));
  }

  /** Each view with what it reads. */
  get views(): readonly Touched[] {
    return this.#all("view");
  }

  /** Each trigger, by the table that it is on, with what it touches. */
  get triggers(): readonly Touched[] {
    return this.#all("trigger");
  }

  /** Each routine with what it touches. */
  get routines(): readonly Touched[] {
    return this.#all("routine");
  }

  /** What rules need: `ruled` are the keys of the tables that have some. */
  behind(ruled: readonly string[]): NamesBehind {
    return namesBehind(this, ruled);
  }

  #all(kind: Definition["kind"]): readonly Touched[] {
    const found = this.#definitions.filter((one) => one.kind === kind).sort((a, b) => (a.key < b.key ? -1 : 1));
    return found.map((one) => this.#touched(one));
  }

  #touched(definition: Definition): Touched {
    const tables = new Set<string>();
    const leaves = new Set<string>();
    const seen = new Set<Definition>();
    let unknown: string | undefined;
    const follow = (one: Definition): void => {
      if (seen.has(one)) return;
      seen.add(one);
      unknown ??= one.uses.unknown;
      for (const what of one.leaves) leaves.add(what);
      for (const routine of one.uses.routines) {
        const called = this.#byName.get(`routine ${routine}`);
        if (called === undefined) unknown ??= `it calls ${routine}, which cannot be seen`;
        else called.forEach(follow);
      }
      for (const table of one.uses.tables) {
        const view = this.#byName.get(`view ${table}`);
        if (view !== undefined) view.forEach(follow);
        else for (const spelled of this.#tables.get(table) ?? [table]) tables.add(spelled);
        // What only reads a table fires none of its triggers; that is not told apart.
        this.#byName.get(`trigger ${table}`)?.forEach(follow);
      }
    };
    follow(definition);
    return { spelled: definition.spelled, tables: [...tables].sort(), unknown, leaves: [...leaves].sort() };
  }
}

async function views(server: ServerView): Promise<Definition[]> {
  const rows = await server.rows(
    "SELECT TABLE_SCHEMA db, TABLE_NAME name, VIEW_DEFINITION body FROM information_schema.VIEWS " +
      `WHERE TABLE_SCHEMA NOT IN ${SERVER_SCHEMAS}`,
  );
  return rows.map(({ db, name, body }) => {
    const spelled = `${db}.${name}`;
    const uses =
      body === null || body === undefined || body === ""
        ? { tables: new Set<string>(), routines: new Set<string>(), unknown: "its definition cannot be seen" }
        : namesInView(body, db ?? "");
    return { kind: "view", key: spelled.toLowerCase(), spelled, uses, leaves: new Set() };
  });
}

async function triggers(server: ServerView, known: KnownNames, variables: ReadonlySet<string>): Promise<Definition[]> {
  const rows = await exactTexts(
    server,
    await server.rows(
      "SELECT 'TRIGGER' kind, EVENT_OBJECT_SCHEMA db, EVENT_OBJECT_TABLE name, TRIGGER_SCHEMA own_db, TRIGGER_NAME own_name, " +
        "ACTION_STATEMENT body, SQL_MODE mode " +
        `FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA NOT IN ${SERVER_SCHEMAS} AND TRIGGER_NAME NOT LIKE '${OUR_TRIGGERS}'`,
    ),
  );
  return rows.map((row) =>
    defined("trigger", `${row["db"]}.${row["name"]}`, row["db"] ?? "", row, { known, variables }),
  );
}

function defined(
  kind: "trigger" | "routine",
  spelled: string,
  schema: string,
  row: Readonly<Record<string, string | null>>,
  { known, variables }: { readonly known: KnownNames; readonly variables: ReadonlySet<string> },
): Definition {
  const { body, mode } = row;
  const modes = {
    ansiQuotes: /ANSI_QUOTES/.test(mode ?? ""),
    noBackslashEscapes: /NO_BACKSLASH_ESCAPES/.test(mode ?? ""),
    ignoreSpace: /IGNORE_SPACE/.test(mode ?? ""),
  };
  const uses =
    body === null || body === undefined
      ? { tables: new Set<string>(), routines: new Set<string>(), unknown: "its body cannot be seen" }
      : namesInBody(body, schema, known, modes);
  const leaves = leftInSession(body ?? "", modes, variables);
  return { kind, key: spelled.toLowerCase(), spelled, uses, leaves };
}

async function seesRoutines(server: ServerView): Promise<boolean> {
  const privileges = await server.privileges();
  const bodies = server.version >= SEEN_ROUTINES_SINCE && privileges.global("SHOW_ROUTINE");
  return (bodies || privileges.global("SELECT")) && privileges.global("SHOW DATABASES");
}
