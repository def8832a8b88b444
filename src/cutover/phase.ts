/** The life of a migration. `paused` and errors are fields of a stream, not phases. */
export const PHASES = [
  "created",
  "copying",
  "catching-up",
  "running",
  "switching",
  "switched",
  "rolling-back",
  "completed",
  "cancelled",
] as const;

export type Phase = (typeof PHASES)[number];
