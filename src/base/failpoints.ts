/**
 * The named points at which a test may stop or kill the program. Each is announced by the code just before
 * the step it names. They do nothing unless the process was started with them armed.
 */
export const FAILPOINTS = [
  "copy-before-chunk-commit",
  "copy-after-chunk-commit",
  "catch-up-before-commit",
  "catch-up-after-commit",
  "diff-before-target-snapshot",
  "switch-after-gate",
  "switch-after-arm",
  "switch-after-hold",
  "switch-after-drain",
  "switch-after-fence",
  "switch-after-forward-closed",
  "switch-before-swap",
  "switch-after-swap",
  "switch-after-release",
  "switch-after-lasting-fence",
  "switch-after-unlock",
  "complete-after-streams-stopped",
] as const;

export type Failpoint = (typeof FAILPOINTS)[number];

/** Called at a named point; resolves at once in production. */
export type FailpointHook = (point: Failpoint) => Promise<void>;

/** The hook of a process without armed failpoints. */
export const noFailpoints: FailpointHook = () => Promise.resolve();
