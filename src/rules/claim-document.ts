import type { StoreEntry } from "../store/store.ts";
import { readCurrent } from "./document-format.ts";
import { CLAIM_KIND } from "./document-kinds.ts";

/** Who moves a table: stored once for each of its two servers, below {@link CLAIMS_PREFIX}, while the migration is unfinished. */
export interface ClaimDocument {
  readonly format: 1;
  readonly migration: string;
}

/** What {@link parseClaim} reads. */
export function serializeClaim(migration: string): string {
  return JSON.stringify({ format: 1, migration } satisfies ClaimDocument);
}

/** Reads a claim. @throws {SwitchyardError} `STORE_FORMAT_NEWER`, `CUTOVER_DOCUMENT_INVALID` */
export function parseClaim(entry: StoreEntry): ClaimDocument {
  return readCurrent(CLAIM_KIND, entry.key, entry.value) as unknown as ClaimDocument;
}
