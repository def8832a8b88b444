import { randomBytes } from "node:crypto";

/** A fresh id for an order. Ids sort by the time at which they were made. */
export function newOrderId(at: Date): string {
  return `${at.getTime().toString(36).padStart(9, "0")}-${randomBytes(6).toString("hex")}`;
}
