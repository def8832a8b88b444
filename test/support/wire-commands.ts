import { isDeepStrictEqual } from "node:util";
import { COM } from "../../src/wire/capabilities.ts";
import { buildChangeUser, parseChangeUser } from "../../src/wire/change-user.ts";
import type { ParameterType } from "../../src/wire/parameters.ts";
import {
  buildExecute,
  buildFetch,
  buildLongData,
  type PrepareOk,
  parseExecute,
  parseFetch,
  parseLongData,
  statementIdOf,
} from "../../src/wire/prepared-statement.ts";
import { buildQuery, parseQuery } from "../../src/wire/query-attributes.ts";

interface Statement {
  readonly parameters: number;
  types?: readonly ParameterType[];
  readonly longData: Set<number>;
}

/** Reads the commands of a client and writes them again; it knows of prepared statements what a server knows. */
export class CommandReader {
  /** The command that was read last. */
  current = -1;
  readonly texts: string[] = [];
  readonly attributeNames: string[] = [];
  readonly #statements = new Map<number, Statement>();
  readonly #compare: (kind: string, payload: Buffer, rebuilt: Buffer) => void;

  constructor(compare: (kind: string, payload: Buffer, rebuilt: Buffer) => void) {
    this.#compare = compare;
  }

  /** The server has answered a prepare. */
  prepared({ statementId, parameters }: PrepareOk): void {
    this.#statements.set(statementId, { parameters, longData: new Set() });
  }

  read(payload: Buffer, capabilities: number): void {
    this.current = payload[0] ?? -1;
    switch (this.current) {
      case COM.QUERY: {
        const query = parseQuery(payload, capabilities);
        this.#compare("query", payload, buildQuery(query, capabilities));
        this.texts.push(query.text.toString("utf8", 0, 200));
        this.attributeNames.push(...query.attributes.types.map(({ name }) => name.toString()));
        break;
      }
      case COM.STMT_EXECUTE:
        this.#execute(payload, capabilities);
        break;
      case COM.STMT_SEND_LONG_DATA: {
        const piece = parseLongData(payload);
        this.#compare("long data", payload, buildLongData(piece));
        this.#statements.get(piece.statementId)?.longData.add(piece.parameter);
        break;
      }
      case COM.STMT_FETCH:
        this.#compare("fetch", payload, buildFetch(parseFetch(payload)));
        break;
      case COM.STMT_RESET:
        this.#statements.get(statementIdOf(payload))?.longData.clear();
        break;
      case COM.CHANGE_USER:
        this.#compare("change user", payload, buildChangeUser(parseChangeUser(payload, capabilities), capabilities));
        break;
      default:
    }
  }

  #execute(payload: Buffer, capabilities: number): void {
    const statement = this.#statements.get(statementIdOf(payload));
    if (statement === undefined) return;
    const execute = parseExecute(payload, capabilities, statement);
    const rebuilt = buildExecute(execute, capabilities);
    const kind = execute.parameters.newTypes ? "execute with types" : "execute";
    // mysql2 writes zeros at the end of dates, which servers and we leave out.
    const longer =
      rebuilt.length < payload.length && isDeepStrictEqual(parseExecute(rebuilt, capabilities, statement), execute);
    if (longer) this.#compare(`${kind}, dates written out`, payload, payload);
    else this.#compare(kind, payload, rebuilt);
    if (execute.parameters.newTypes) statement.types = execute.parameters.types;
    statement.longData.clear();
  }
}
