/** What bulk work asks how fast it may go, so that servers with clients on them stay quick. */
export interface Pace {
  /** Bulk work begins: from now on somebody looks at the servers. It is to be closed however the work ends. */
  open(): PacedWork;
}

/** One piece of bulk work, a copy or a diff, from {@link Pace.open} until {@link close}. */
export interface PacedWork {
  /** Whether a snapshot may be opened now. False while nothing is known yet. */
  readonly mayOpenSnapshot: boolean;
  /** Whether a snapshot that is open does harm by being there, or will not be read from for long. */
  readonly shouldCloseSnapshot: boolean;
  /**
   * Waits until {@link mayOpenSnapshot}, at most for so long; says whether it is so.
   *
   * @throws {SwitchyardError} `CANCELLED` when the signal aborts
   */
  whenMayOpen(signal: AbortSignal, patienceMs?: number): Promise<boolean>;
  /** For one of those who do the work side by side: each rests for itself, and not past the end of the signal. */
  worker(signal: AbortSignal): PaceWorker;
  close(): void;
}

export interface PaceWorker {
  /**
   * To be awaited between pieces: rests in proportion to the time since the last rest. It returns at once when `isOver`
   * says that the work is given up; work without it cannot be given up half way, and is never stopped, only slowed.
   */
  rest(isOver?: () => boolean): void | Promise<void>;
}

/** Work that nobody slows down. */
export const fullPace: Pace = {
  open: () => ({
    mayOpenSnapshot: true,
    shouldCloseSnapshot: false,
    whenMayOpen: () => Promise.resolve(true),
    worker: () => ({ rest: () => undefined }),
    close: () => undefined,
  }),
};
