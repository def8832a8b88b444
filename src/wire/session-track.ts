import { type SessionTrack, TRACK } from "./ok-packet.ts";
import { PacketReader } from "./packet-reader.ts";
import { PacketWriter } from "./packet-writer.ts";

/** What one block of an OK packet says that has changed in the session. */
export type SessionChange =
  | { readonly kind: "variables"; readonly variables: readonly (readonly [name: string, value: Buffer])[] }
  | { readonly kind: "schema"; readonly schema: Buffer }
  /** Something of the session has changed that would have to be set up again elsewhere. */
  | { readonly kind: "state"; readonly changed: boolean }
  | { readonly kind: "gtids"; readonly encoding: number; readonly text: string }
  /** The statements that would begin a transaction like the present one again; empty where there is none. */
  | { readonly kind: "transaction-characteristics"; readonly statements: string }
  /** Eight letters, each in its place: what the transaction has done so far, `_` for what it has not. */
  | { readonly kind: "transaction-state"; readonly letters: string }
  | { readonly kind: "unknown"; readonly type: number; readonly data: Buffer };

/** @throws {SwitchyardError} `WIRE_MALFORMED` */
export function parseSessionChange({ type, data }: SessionTrack): SessionChange {
  const reader = new PacketReader(data, "session state");
  switch (type) {
    case TRACK.SYSTEM_VARIABLES: {
      const variables: [string, Buffer][] = [];
      while (reader.left > 0) variables.push([reader.lenencText(), reader.bytes(reader.lenencNumber())]);
      return { kind: "variables", variables };
    }
    case TRACK.SCHEMA:
      return { kind: "schema", schema: reader.bytes(reader.lenencNumber()) };
    case TRACK.STATE_CHANGE:
      // Alone among its kind it is no string with a length, but a single character.
      return { kind: "state", changed: reader.rest().toString("latin1") === "1" };
    case TRACK.GTIDS:
      return { kind: "gtids", encoding: reader.u8(), text: reader.lenencText() };
    case TRACK.TRANSACTION_CHARACTERISTICS:
      return { kind: "transaction-characteristics", statements: reader.lenencText() };
    case TRACK.TRANSACTION_STATE:
      return { kind: "transaction-state", letters: reader.lenencText() };
    default:
      return { kind: "unknown", type, data };
  }
}

/** Writes what {@link parseSessionChange} reads. */
export function buildSessionChange(change: SessionChange): SessionTrack {
  const writer = new PacketWriter();
  switch (change.kind) {
    case "variables":
      for (const [name, value] of change.variables) writer.lenencBytes(name).lenencBytes(value);
      return { type: TRACK.SYSTEM_VARIABLES, data: writer.payload() };
    case "schema":
      return { type: TRACK.SCHEMA, data: writer.lenencBytes(change.schema).payload() };
    case "state":
      return { type: TRACK.STATE_CHANGE, data: writer.bytes(change.changed ? "1" : "0").payload() };
    case "gtids":
      return { type: TRACK.GTIDS, data: writer.u8(change.encoding).lenencBytes(change.text).payload() };
    case "transaction-characteristics":
      return { type: TRACK.TRANSACTION_CHARACTERISTICS, data: writer.lenencBytes(change.statements).payload() };
    case "transaction-state":
      return { type: TRACK.TRANSACTION_STATE, data: writer.lenencBytes(change.letters).payload() };
    case "unknown":
      return { type: change.type, data: change.data };
  }
}
