import { quoteId, quoteText } from "../base/table-name.ts";
import { charsetClass } from "../sql/charset-class.ts";
import type { SetAssignment, SqlModes } from "../sql/statement.ts";
import type { Reading } from "./prepared-reading.ts";

/**
 * Variables whose value belongs to one statement or one server, with the values that mean nothing special: a session
 * that sets one to another value cannot be moved, and no other server is ever told.
 */
const NOT_MOVABLE: ReadonlyMap<string, RegExp> = new Map([
  ["gtid_next", /^automatic$/i],
  ["insert_id", /^0$/],
  ["pseudo_replica_mode", /^(0|off)$/i],
  ["pseudo_slave_mode", /^(0|off)$/i],
  ["pseudo_thread_id", /^$/],
  ["rand_seed1", /^$/],
  ["rand_seed2", /^$/],
  ["sql_log_bin", /^(1|on)$/i],
]);

/** They are LAST_INSERT_ID() by another name, and go where that goes. */
export const INSERT_IDS: ReadonlySet<string> = new Set(["identity", "last_insert_id"]);

/** What a string literal means depends on these. */
const CHARACTER_SETS: ReadonlySet<string> = new Set([
  "character_set_client",
  "character_set_connection",
  "collation_connection",
]);

/** Values that are names. A number, or a string put together, is read back: it would be taken for another. */
const NAMES = /^(['"]?)[a-z_][\w, ]*\1$|^''$|^""$/i;

/** Variables with which a BEGIN is no longer invisible until its first statement. */
const FORBID_LAZY: ReadonlySet<string> = new Set([
  "completion_type",
  "session_track_transaction_info",
  "transaction_read_only",
]);

/** Their values with which it is. */
const LAZY_VALUES = /^(0|off|no_chain)$/i;

/** What a session must know of its server from the start, by the names of the variables. */
export const LEARNED = [
  "sql_mode",
  "character_set_client",
  "completion_type",
  "session_track_transaction_info",
  "transaction_read_only",
  "max_execution_time",
  "max_allowed_packet",
] as const;

export type InitialSettings = Readonly<Record<(typeof LEARNED)[number], string>>;

interface Setting {
  readonly key: string;
  /** What tells a backend; undefined where it must first be read at {@link at}. */
  readonly sql: string | undefined;
  /** Grows with each change; a backend remembers up to where it has been told. */
  readonly serial: number;
  /** The user variable that it is about. */
  readonly variable?: string;
  /** The value as the client wrote it: a string means the same only as long as strings are read alike. */
  readonly written?: string;
  /** The backend that alone knows the value. */
  readonly at?: string;
}

/** User variables whose values are only at one backend. */
export interface UnreadVariables {
  readonly backend: string;
  readonly names: readonly string[];
}

/** Whether a literal may mean something else after this assignment. */
export function changesReading({ scope, name }: SetAssignment, literal: string): boolean {
  if (name === "sql_mode" && scope === "session") return /["\\]/.test(literal);
  const characterSet =
    scope === "names" || scope === "character-set" || (scope === "session" && CHARACTER_SETS.has(name));
  return characterSet && /['"]/.test(literal);
}

/** What became of an assignment: kept, to be read back from the server, or a reason why the session cannot move. */
export type Recorded = "kept" | "read-back" | Unmovable;

export interface Unmovable {
  readonly pins: string;
  /** It may be so of many variables, and no other assignment changes that: they share one reason until a reset. */
  readonly lasts?: "names" | "count";
}

/**
 * What a client has SET in its session, in the order in which a second backend must be told. An assignment of the
 * same variable replaces the one before.
 */
export class SessionSettings {
  readonly #max: number;
  #settings = new Map<string, Setting>();
  #serial = 0;
  #resets = 0;
  #wasReset = false;
  #maxExecutionMs = 0;
  #initialMaxExecutionMs = 0;
  #maxPacketBytes = 0;
  #modes: SqlModes;
  #initialModes: SqlModes;
  #sqlMode = "";
  #initialSqlMode = "";
  #lazyForbidden = new Set<string>();
  #initiallyForbidden: ReadonlySet<string> = new Set();

  constructor(max: number, modes: SqlModes) {
    this.#max = max;
    this.#modes = modes;
    this.#initialModes = modes;
  }

  /** How the session's texts are to be read. */
  get modes(): SqlModes {
    return this.#modes;
  }

  /** How a text is read that is prepared now. */
  get reading(): Reading {
    const about = [...this.#settings.values()].filter(({ key }) => key === "names" || CHARACTER_SETS.has(key));
    return {
      parsedBy: this.#modes,
      sqlMode: this.#sqlMode,
      charset: about
        .map(({ sql }) => sql)
        .join("; ")
        .toLowerCase(),
    };
  }

  /** The serial of the last change. */
  get serial(): number {
    return this.#serial;
  }

  /** `max_execution_time` of the session; 0 for no limit. */
  get maxExecutionMs(): number {
    return this.#maxExecutionMs;
  }

  /** `max_allowed_packet` of the session; 0 where it is not known. */
  get maxPacketBytes(): number {
    return this.#maxPacketBytes;
  }

  /** Grows with each {@link reset}: a login that has replayed settings of before must be made anew. */
  get resets(): number {
    return this.#resets;
  }

  /** COM_RESET_CONNECTION was the last beginning: a server then has its own defaults, not what a login asks for. */
  get wasReset(): boolean {
    return this.#wasReset;
  }

  /** Whether a plain BEGIN may be kept back. */
  get allowsLazy(): boolean {
    return this.#lazyForbidden.size === 0;
  }

  /** What the session begins with, as the server has told after the login or the reset. */
  begin(initial: InitialSettings): void {
    this.#initialModes = { ...modesOf(initial.sql_mode), charset: charsetClass(initial.character_set_client) };
    this.#modes = this.#initialModes;
    this.#initialSqlMode = initial.sql_mode;
    this.#sqlMode = this.#initialSqlMode;
    this.#lazyForbidden = new Set();
    for (const name of ["completion_type", "session_track_transaction_info", "transaction_read_only"] as const) {
      if (!LAZY_VALUES.test(initial[name])) this.#lazyForbidden.add(name);
    }
    this.#initiallyForbidden = new Set(this.#lazyForbidden);
    this.#initialMaxExecutionMs = Number(initial.max_execution_time) || 0;
    this.#maxExecutionMs = this.#initialMaxExecutionMs;
    this.#maxPacketBytes = Number(initial.max_allowed_packet) || 0;
  }

  /**
   * Statements that a backend has not heard, which was told everything up to `serial`, as far as they are known: they
   * end before a variable that must first be read at another backend.
   */
  since(serial: number): readonly string[] {
    return this.#known(serial).map(({ sql }) => sql ?? "");
  }

  /** Up to where a backend knows everything that was told up to `serial` and has now heard {@link since}. */
  reachedFrom(serial: number): number {
    const known = this.#known(serial);
    const all = known.length === this.#after(serial).length;
    return all ? this.#serial : (known.at(-1)?.serial ?? serial);
  }

  /** User variables that must be read elsewhere before `backend` can be told them. */
  unreadElsewhere(backend: string): UnreadVariables | undefined {
    for (const { at } of this.#settings.values())
      if (at !== undefined && at !== backend) return { backend: at, names: this.#unreadAt(at) };
    return undefined;
  }

  /** Whether a user variable has its value only there. */
  isUnreadAt(backend: string): boolean {
    for (const { at } of this.#settings.values()) if (at === backend) return true;
    return false;
  }

  /** What sets a variable that {@link unreadElsewhere} has named. */
  learned(variable: string, sql: string): void {
    const key = keyOf(variable);
    const one = this.#settings.get(key);
    if (one?.at !== undefined) this.#settings.set(key, { key, sql, serial: one.serial, variable });
  }

  /** A statement has, or may have, given a user variable a value that only the backend knows. */
  assigned(variable: string, backend: string): Recorded {
    if (!plain(variable)) return { pins: `the name of its user variable @${variable} is not of ASCII`, lasts: "names" };
    return this.#keep({ key: keyOf(variable), sql: undefined, variable, at: backend });
  }

  /** This backend has carried out the assignment. */
  record(assignment: SetAssignment, backend: string): Recorded {
    const { scope, name, valueText, literal } = assignment;
    switch (scope) {
      case "global":
      case "persist":
      case "persist-only":
      case "next-transaction":
        return "kept";
      case "resource-group":
        if (!plain(valueText) || /\sfor\s/i.test(valueText)) return { pins: "a resource group was set for threads" };
        return this.#keep({ key: "resource-group", sql: `SET RESOURCE GROUP ${valueText}` });
      case "role":
        if (!plain(valueText)) return { pins: "the name of its role is not of ASCII" };
        return this.#keep({ key: "role", sql: `SET ROLE ${valueText}` });
      case "names":
      case "character-set":
        this.#unreadTexts(assignment, backend);
        return this.#recordCharacterSet(scope, valueText);
      case "user":
        if (!literal || !plain(valueText) || !plain(name)) return this.assigned(name, backend);
        return this.#keep({
          ...{ key: keyOf(name), sql: `SET @${quoteId(name)} = ${valueText}` },
          ...{ variable: name, written: valueText },
        });
      case "session":
        break;
    }
    this.#unreadTexts(assignment, backend);
    if (INSERT_IDS.has(name)) return "kept";
    const harmless = NOT_MOVABLE.get(name);
    if (harmless !== undefined) {
      return literal && harmless.test(unquoted(valueText)) ? "kept" : { pins: `the session variable ${name} was set` };
    }
    if (name === "timestamp") return this.#recordTimestamp(valueText, literal);
    if (!literal || /^default$/i.test(valueText) || !plain(valueText)) return "read-back";
    if ((name === "sql_mode" || CHARACTER_SETS.has(name)) && !NAMES.test(valueText)) return "read-back";
    return this.recordVariable(name, valueText, unquoted(valueText));
  }

  /** A session variable whose value was read back from the server. */
  recordReadBack(name: string, value: string | null): Recorded {
    return this.recordVariable(name, literalOf(value), value ?? "");
  }

  recordVariable(name: string, valueSql: string, value: string): Recorded {
    if (name === "sql_mode") {
      this.#modes = { ...this.#modes, ...modesOf(value) };
      this.#sqlMode = value;
    }
    if (name === "max_execution_time") this.#maxExecutionMs = Number(value) || 0;
    if (name === "character_set_client") this.#modes = { ...this.#modes, charset: charsetClass(value) };
    if (FORBID_LAZY.has(name)) {
      if (LAZY_VALUES.test(value)) this.#lazyForbidden.delete(name);
      else this.#lazyForbidden.add(name);
    }
    return this.#keep({ key: name, sql: `SET SESSION ${quoteId(name).replaceAll(".", "`.`")} = ${valueSql}` });
  }

  /** Nothing is set any more: the client has logged in anew, or reset its connection. */
  reset(by: "login" | "reset"): void {
    this.#wasReset = by === "reset";
    this.#settings.clear();
    this.#serial += 1;
    this.#resets += 1;
    this.#maxExecutionMs = this.#initialMaxExecutionMs;
    this.#modes = this.#initialModes;
    this.#sqlMode = this.#initialSqlMode;
    this.#lazyForbidden = new Set(this.#initiallyForbidden);
  }

  #recordCharacterSet(scope: "names" | "character-set", valueText: string): Recorded {
    if (!plain(valueText)) return { pins: "a character set that cannot be replayed" };
    const charset = unquoted(valueText.split(/\s/)[0] ?? "");
    this.#modes = {
      ...this.#modes,
      charset: charset.toLowerCase() === "default" ? "utf8" : charsetClass(charset),
    };
    const sql = scope === "names" ? `SET NAMES ${valueText}` : `SET CHARACTER SET ${valueText}`;
    return this.#keep({ key: "names", sql });
  }

  /** Read back, it would be the present time, at which the clock of another server would then stand still. */
  #recordTimestamp(valueText: string, literal: boolean): Recorded {
    if (!literal || !plain(valueText)) return { pins: "the session variable timestamp was set from an expression" };
    const runs = /^(default|0*\.?0*)$/i.test(valueText);
    return this.#keep({ key: "timestamp", sql: `SET SESSION timestamp = ${runs ? "DEFAULT" : valueText}` });
  }

  /** Strings are read in another way from now on: those of before would not become the same values again. */
  #unreadTexts(assignment: SetAssignment, backend: string): void {
    for (const { key, serial, variable = "", written } of this.#settings.values()) {
      if (written !== undefined && changesReading(assignment, written))
        this.#settings.set(key, { key, sql: undefined, serial, variable, at: backend });
    }
  }

  #known(serial: number): readonly Setting[] {
    const later = this.#after(serial);
    const unread = later.findIndex(({ at }) => at !== undefined);
    return unread < 0 ? later : later.slice(0, unread);
  }

  #after(serial: number): readonly Setting[] {
    return [...this.#settings.values()].filter((setting) => setting.serial > serial);
  }

  #unreadAt(backend: string): readonly string[] {
    return [...this.#settings.values()].flatMap(({ at, variable }) =>
      at === backend && variable !== undefined ? variable : [],
    );
  }

  #keep(setting: Omit<Setting, "serial">): Recorded {
    const { key } = setting;
    if (this.#settings.size >= this.#max && !this.#settings.has(key)) {
      return { pins: `more than ${this.#max} settings`, lasts: "count" };
    }
    this.#serial += 1;
    // The order is that of the last change.
    this.#settings.delete(key);
    this.#settings.set(key, { ...setting, serial: this.#serial });
    return "kept";
  }
}

function keyOf(variable: string): string {
  return `@${variable.toLowerCase()}`;
}

/** Bytes that mean the same under any character set that a client may use. */
function plain(text: string): boolean {
  return /^[\t\n\r\x20-\x7e]*$/.test(text);
}

function unquoted(text: string): string {
  return text.replace(/^(['"`])(.*)\1$/s, "$2");
}

function literalOf(value: string | null): string {
  if (value === null) return "NULL";
  if (/^-?\d+(\.\d+)?$/.test(value)) return value;
  return /^[\w ,:+\-/.@%]*$/.test(value) ? `'${value}'` : quoteText(value);
}

/** What of `sql_mode` decides on how texts are read. */
export function modesOf(sqlMode: string): Pick<SqlModes, "ansiQuotes" | "noBackslashEscapes" | "ignoreSpace"> {
  const modes = new Set(sqlMode.toUpperCase().split(","));
  const has = (name: string): boolean => modes.has(name);
  return {
    ansiQuotes: has("ANSI_QUOTES") || has("ANSI"),
    noBackslashEscapes: has("NO_BACKSLASH_ESCAPES"),
    ignoreSpace: has("IGNORE_SPACE") || has("ANSI"),
  };
}
