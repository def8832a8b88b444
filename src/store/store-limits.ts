import { SwitchyardError } from "../base/errors.ts";
import type { Compare, StoreWrite } from "./store.ts";

/** Bounds of the embedded store; they lie below those of etcd, so that documents fit either. */
export const STORE_LIMITS = {
  keyBytesMax: 512,
  valueBytesMax: 1024 * 1024,
  transactionItemsMax: 128,
  leaseTtlMsMin: 100,
  leaseTtlMsMax: 3_600_000,
} as const;

/** A write by the id of its lease, as it travels between processes. */
export type IdentifiedWrite =
  | { readonly put: string; readonly value: string; readonly leaseId?: string }
  | { readonly delete: string };

/** Names the leases of writes by their ids. */
export function identify(writes: readonly StoreWrite[]): IdentifiedWrite[] {
  return writes.map((write) => {
    if (!("put" in write)) return write;
    const { put, value, lease } = write;
    return lease === undefined ? { put, value } : { put, value, leaseId: lease.id };
  });
}

/** The key that a write is about. */
export function writtenKey(write: IdentifiedWrite): string {
  return "put" in write ? write.put : write.delete;
}

/**
 * Refuses a transaction that is out of bounds, before anything is done.
 *
 * @throws {SwitchyardError} `STORE_REQUEST_INVALID`
 */
export function checkTransaction(conditions: readonly Compare[], writes: readonly IdentifiedWrite[]): void {
  // As etcd counts: each list by itself.
  const items = Math.max(conditions.length, writes.length);
  if (items > STORE_LIMITS.transactionItemsMax) {
    throw invalid(`a transaction has ${items} conditions or writes, ${STORE_LIMITS.transactionItemsMax} are allowed`);
  }
  for (const condition of conditions) checkKey(condition.key);
  const keys = new Set<string>();
  for (const write of writes) {
    const key = writtenKey(write);
    checkKey(key);
    if (keys.has(key)) throw invalid(`a transaction writes ${key} twice`);
    keys.add(key);
    if ("put" in write) checkValue(key, write.value);
  }
}

/** @throws {SwitchyardError} `STORE_REQUEST_INVALID` */
export function checkKey(key: string): void {
  if (key === "" || Buffer.byteLength(key) > STORE_LIMITS.keyBytesMax || key.includes("\0")) {
    throw invalid(
      `a key must have 1 to ${STORE_LIMITS.keyBytesMax} bytes and no NUL: ${JSON.stringify(key.slice(0, 80))}`,
    );
  }
}

/** @throws {SwitchyardError} `STORE_REQUEST_INVALID` */
export function checkLeaseTtl(ttlMs: number): void {
  if (!(ttlMs >= STORE_LIMITS.leaseTtlMsMin && ttlMs <= STORE_LIMITS.leaseTtlMsMax)) {
    throw invalid(
      `a lease must last ${STORE_LIMITS.leaseTtlMsMin} to ${STORE_LIMITS.leaseTtlMsMax} ms; ${ttlMs} were asked for`,
    );
  }
}

function checkValue(key: string, value: string): void {
  const bytes = Buffer.byteLength(value);
  if (bytes > STORE_LIMITS.valueBytesMax) {
    throw invalid(`the value for ${key} has ${bytes} bytes, ${STORE_LIMITS.valueBytesMax} are allowed`);
  }
}

function invalid(what: string): SwitchyardError {
  return new SwitchyardError("STORE_REQUEST_INVALID", { what, changed: "Nothing was written." });
}
