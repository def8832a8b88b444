/**
 * The named points at which a test may kill the program, or have it wait while it breaks something else. Each is announced
 * by the code just before or just after the step it names. They do nothing unless the process was started with them armed.
 */
export const FAILPOINTS = [
  "create-before-claims",
  "create-after-claims",
  "stream-after-claim",
  "copy-after-snapshot",
  "copy-before-chunk-commit",
  "copy-after-chunk-commit",
  "copy-before-keys",
  "copy-after-keys",
  "catch-up-before-commit",
  "catch-up-after-commit",
  "ddl-before-statement",
  "ddl-after-statement",
  "diff-before-target-snapshot",
  "diff-after-range-kept",
  "refresh-before-journal",
  "switch-after-gate",
  "switch-after-journal",
  "switch-after-sessions",
  "switch-after-clear",
  "switch-after-arm",
  "switch-after-hold",
  "switch-after-drain",
  "switch-after-fence",
  "switch-after-forward-closed",
  "switch-after-counters",
  "switch-after-stray-check",
  "switch-before-swap",
  "switch-after-swap",
  "switch-after-release",
  "switch-after-lasting-fence",
  "switch-after-unlock",
  "switch-after-retirement",
  "switch-after-return-stream",
  "switch-after-guards",
  "abort-before-settled",
  "abort-after-settled",
  "abort-after-unlock",
  "abort-after-fence-restored",
  "repoint-after-ledger",
  "repoint-after-journal",
  "complete-after-streams-stopped",
  "complete-after-journal",
  "complete-after-old-tables",
  "complete-before-claims-released",
  "cancel-after-journal",
  "cancel-after-streams-stopped",
  "cancel-after-tables-dropped",
  "cancel-before-claims-released",
] as const;

export type Failpoint = (typeof FAILPOINTS)[number];

/** Called at a named point; resolves at once in production. */
export type FailpointHook = (point: Failpoint) => Promise<void>;

/** The hook of a process without armed failpoints. */
export const noFailpoints: FailpointHook = () => Promise.resolve();
