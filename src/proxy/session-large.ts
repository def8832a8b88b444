import { LargeCommand } from "./large-command.ts";
import { runLarge } from "./large-commands.ts";
import type { Session } from "./session.ts";

/** The command of more than one packet that a session has done, while it does. */
export class SessionLarge {
  readonly #session: Session;
  #present: LargeCommand | undefined;

  constructor(session: Session) {
    this.#session = session;
  }

  /** The client has not sent all of it. */
  get isComing(): boolean {
    return this.#present?.ended === false;
  }

  /** As {@link runLarge}, of a command of which this is the first packet. */
  async run(head: Buffer, told: Promise<boolean> | undefined): Promise<void> {
    const command = new LargeCommand(head, this.#session.client);
    this.#present = command;
    await runLarge(this.#session, command, told);
    this.#present = undefined;
  }

  /** Calls this when the client listens: at once, or when it has sent all of the present command. */
  whenSent(then: () => void): void {
    if (this.#present === undefined || this.#present.ended) then();
    else void this.#present.drop().then(then);
  }
}
