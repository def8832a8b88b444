/** After so long a request to the store that was not answered counts as lost. */
export const ANSWER_TIMEOUT_MS = 120;

/** A message to the store, or from it, takes between so many milliseconds. */
export const MESSAGE_MS = [0.2, 2] as const;

/** A watch that was cut off is there again after so many milliseconds. */
export const RECONNECT_MS = [5, 100] as const;

/** How long a proxy's lease is good for, and how long it waits before it tries again to register. */
export const PROXY_LEASE_MS = 200;
export const PROXY_RETRY_MS = 20;

/**
 * How long after the end of its trouble a proxy may still be without a lease, or without the new rules: it learns of either by
 * its next keep-alive or by its watch, tries again once, and asks for a lease and registers, which is three questions.
 */
export const RECOVERS_MS = PROXY_LEASE_MS / 3 + RECONNECT_MS[1] + PROXY_RETRY_MS + 3 * 2 * MESSAGE_MS[1];
