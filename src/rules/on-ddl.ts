/** What becomes of a definition statement on the source: the stream stops, the target gets it too, or it is passed over. */
export const ON_DDL = ["stop", "apply", "ignore"] as const;

export type OnDdl = (typeof ON_DDL)[number];
