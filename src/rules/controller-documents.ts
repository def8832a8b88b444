import type { StoreEntry } from "../store/store.ts";
import { readCurrent } from "./document-format.ts";
import { CONTROLLER_KIND, LEADER_KIND, STREAM_CLAIM_KIND } from "./document-kinds.ts";

/** One life of a controller. Ids come again where processes get the same number, as in containers; nonces do not. */
export interface ControllerName {
  readonly id: string;
  readonly nonce: string;
}

/** What a controller says of itself while it lives. */
export interface ControllerDocument extends ControllerName {
  readonly format: 1;
  /** Names of the backends in its configuration: it can run the migrations between these. */
  readonly backends: readonly string[];
}

/** Who runs a migration. The revision of the entry is the fencing token. */
export interface StreamClaim {
  readonly format: 1;
  readonly controller: string;
  readonly nonce: string;
}

/** @throws {SwitchyardError} `STORE_FORMAT_NEWER`, `CUTOVER_DOCUMENT_INVALID` */
export function parseController(entry: StoreEntry): ControllerDocument {
  return readCurrent(CONTROLLER_KIND, entry.key, entry.value) as unknown as ControllerDocument;
}

/** @throws {SwitchyardError} `STORE_FORMAT_NEWER`, `CUTOVER_DOCUMENT_INVALID` */
export function parseStreamClaim(entry: StoreEntry): StreamClaim {
  return readCurrent(STREAM_CLAIM_KIND, entry.key, entry.value) as unknown as StreamClaim;
}

/** The nonce is missing from what was written before there was one. @throws {SwitchyardError} as the others */
export function parseLeader(entry: StoreEntry): Pick<ControllerName, "id"> & Partial<ControllerName> {
  return readCurrent(LEADER_KIND, entry.key, entry.value) as unknown as ControllerName;
}

export function serializeController(name: ControllerName, backends: readonly string[]): string {
  return JSON.stringify({ format: 1, ...name, backends } satisfies ControllerDocument);
}

export function serializeStreamClaim({ id, nonce }: ControllerName): string {
  return JSON.stringify({ format: 1, controller: id, nonce } satisfies StreamClaim);
}

export function serializeLeader(name: ControllerName): string {
  return JSON.stringify({ format: 1, ...name });
}
