import { quoteId, quoteText } from "../base/table-name.ts";
import type { SetAssignment, SqlModes } from "../sql/statement.ts";

/** Variables whose value belongs to one statement or one server; a session that sets one cannot be moved. */
const NOT_MOVABLE: ReadonlySet<string> = new Set([
  "gtid_next",
  "identity",
  "insert_id",
  "last_insert_id",
  "pseudo_replica_mode",
  "pseudo_slave_mode",
  "pseudo_thread_id",
  "rand_seed1",
  "rand_seed2",
  "sql_log_bin",
]);

/** Variables with which a BEGIN is no longer invisible until its first statement. */
const FORBID_LAZY: ReadonlySet<string> = new Set(["completion_type", "session_track_transaction_info"]);

/** Their values with which it is. */
const LAZY_VALUES = /^(0|off|no_chain)$/i;

/** What a session must know of its server from the start, by the names of the variables. */
export const LEARNED = [
  "sql_mode",
  "character_set_client",
  "completion_type",
  "session_track_transaction_info",
  "max_execution_time",
] as const;

export type InitialSettings = Readonly<Record<(typeof LEARNED)[number], string>>;

interface Setting {
  readonly key: string;
  readonly sql: string;
  /** Grows with each change; a backend remembers up to where it has been told. */
  readonly serial: number;
}

/** What became of an assignment: kept, to be read back from the server, or a reason why the session cannot move. */
export type Recorded = "kept" | "read-back" | { readonly pins: string };

/**
 * What a client has SET in its session, in the order in which a second backend must be told. An assignment of the
 * same variable replaces the one before.
 */
export class SessionSettings {
  readonly #max: number;
  #settings: Setting[] = [];
  #serial = 0;
  #resets = 0;
  #wasReset = false;
  #maxExecutionMs = 0;
  #initialMaxExecutionMs = 0;
  #modes: SqlModes;
  #initialModes: SqlModes;
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

  /** The serial of the last change. */
  get serial(): number {
    return this.#serial;
  }

  /** `max_execution_time` of the session; 0 for no limit. */
  get maxExecutionMs(): number {
    return this.#maxExecutionMs;
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
    this.#lazyForbidden = new Set();
    for (const name of ["completion_type", "session_track_transaction_info"] as const) {
      if (!LAZY_VALUES.test(initial[name])) this.#lazyForbidden.add(name);
    }
    this.#initiallyForbidden = new Set(this.#lazyForbidden);
    this.#initialMaxExecutionMs = Number(initial.max_execution_time) || 0;
    this.#maxExecutionMs = this.#initialMaxExecutionMs;
  }

  /** Statements that a backend has not heard, which was told everything up to `serial`. */
  since(serial: number): readonly string[] {
    return this.#settings.filter((setting) => setting.serial > serial).map(({ sql }) => sql);
  }

  /** The server has carried out this assignment. */
  record(assignment: SetAssignment): Recorded {
    const { scope, name, valueText, literal } = assignment;
    switch (scope) {
      case "global":
      case "persist":
      case "persist-only":
      case "next-transaction":
        return "kept";
      case "resource-group":
        return { pins: "a resource group" };
      case "role":
        if (!plain(valueText)) return { pins: "a role that cannot be replayed" };
        return this.#keep("role", `SET ROLE ${valueText}`);
      case "names":
      case "character-set":
        return this.#recordCharacterSet(scope, valueText);
      case "user":
        if (!literal || !plain(valueText)) return { pins: `user variable @${name} was set from an expression` };
        return this.#keep(`@${name.toLowerCase()}`, `SET @${quoteId(name)} = ${valueText}`);
      case "session":
        break;
    }
    if (NOT_MOVABLE.has(name)) return { pins: `the session variable ${name} was set` };
    if (!literal || /^default$/i.test(valueText) || !plain(valueText)) return "read-back";
    return this.recordVariable(name, valueText, unquoted(valueText));
  }

  /** A session variable whose value was read back from the server. */
  recordReadBack(name: string, value: string | null): Recorded {
    return this.recordVariable(name, literalOf(value), value ?? "");
  }

  recordVariable(name: string, valueSql: string, value: string): Recorded {
    if (name === "sql_mode") this.#modes = { ...this.#modes, ...modesOf(value) };
    if (name === "max_execution_time") this.#maxExecutionMs = Number(value) || 0;
    if (name === "character_set_client") this.#modes = { ...this.#modes, charset: charsetClass(value) };
    if (FORBID_LAZY.has(name)) {
      if (LAZY_VALUES.test(value)) this.#lazyForbidden.delete(name);
      else this.#lazyForbidden.add(name);
    }
    return this.#keep(name, `SET SESSION ${quoteId(name).replaceAll(".", "`.`")} = ${valueSql}`);
  }

  /** Nothing is set any more: the client has logged in anew, or reset its connection. */
  reset(by: "login" | "reset"): void {
    this.#wasReset = by === "reset";
    this.#settings = [];
    this.#serial += 1;
    this.#resets += 1;
    this.#maxExecutionMs = this.#initialMaxExecutionMs;
    this.#modes = this.#initialModes;
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
    return this.#keep("names", sql);
  }

  #keep(key: string, sql: string): Recorded {
    if (this.#settings.length >= this.#max && !this.#settings.some((setting) => setting.key === key)) {
      return { pins: `more than ${this.#max} settings` };
    }
    this.#serial += 1;
    this.#settings = [...this.#settings.filter((setting) => setting.key !== key), { key, sql, serial: this.#serial }];
    return "kept";
  }
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

/** Which quotes and backslashes can be trusted in texts of this character set. */
export function charsetClass(charset: string): "utf8" | "other" | "unsafe" {
  const name = charset.toLowerCase();
  if (name.startsWith("utf8") || name === "ascii") return "utf8";
  return ["sjis", "cp932", "gbk", "gb18030", "big5"].includes(name) ? "unsafe" : "other";
}
