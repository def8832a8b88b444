import mysql from "mysql2/promise";

const INSERT = "INSERT INTO ledger.entry (client, sequence, note) VALUES (?, ?, 'past the proxy')";

/** Inserts straight into a server, without pause; of what fails it keeps the reasons, what is acknowledged is remembered. */
export class BypassingWriter {
  readonly acknowledged: number[] = [];
  readonly reasons = new Set<string>();
  refused = 0;
  readonly #client: number;
  #stopped = false;
  #work: Promise<void> = Promise.resolve();

  /** `client` is what its rows in `ledger.entry` bear. */
  constructor(client: number) {
    this.#client = client;
  }

  start(url: string): void {
    this.#work = this.#run(url);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#work;
  }

  async #run(url: string): Promise<void> {
    const connection = await mysql.createConnection(url);
    for (let sequence = 1; !this.#stopped; sequence += 1) {
      try {
        await connection.query(INSERT, [this.#client, sequence]);
        this.acknowledged.push(sequence);
      } catch (error) {
        this.reasons.add(error instanceof Error ? error.message : String(error));
        this.refused += 1;
      }
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    connection.destroy();
  }
}
