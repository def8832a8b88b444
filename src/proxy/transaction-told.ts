import { STATUS } from "../wire/capabilities.ts";
import { buildOk, type SessionTrack, TRACK } from "../wire/ok-packet.ts";
import { PacketWriter } from "../wire/packet-writer.ts";

/**
 * What servers tell, in the OK of a statement about a transaction, to clients that have agreed on session tracking, even
 * where `session_track_transaction_info` is OFF: that one has begun, that it has ended, or that neither is new.
 */
export type TransactionTold = "begun" | "ended" | "as before";

const EMPTY: Buffer = Buffer.alloc(0);

const STATES: Readonly<Record<TransactionTold, string | undefined>> = {
  begun: "T_______",
  ended: "________",
  "as before": undefined,
};

/** The part of the OK that says so. */
function tracksOf(told: TransactionTold | undefined): readonly SessionTrack[] {
  const state = told === undefined ? undefined : STATES[told];
  return state === undefined
    ? []
    : [{ type: TRACK.TRANSACTION_STATE, data: new PacketWriter(16).lenencBytes(state).payload() }];
}

/** The OK of a statement that has changed no row, with what it tells of a transaction beside this status. */
export function okTelling(told: TransactionTold | undefined, status: number, capabilities: number): Buffer {
  const flags = status | (told === undefined ? 0 : STATUS.SESSION_STATE_CHANGED);
  const tracks = tracksOf(told);
  const ok = { affectedRows: 0, lastInsertId: 0n, status: flags, warnings: 0, info: EMPTY, tracks };
  return buildOk(ok, capabilities);
}
