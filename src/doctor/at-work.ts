import type { StoreFacts } from "./facts.ts";

/** Whether a controller has an order of that migration in hand. */
export function isAtWork({ orders }: StoreFacts, migration: string): boolean {
  return orders.some((order) => order.migration === migration && order.state === "running");
}
