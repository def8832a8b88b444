import { FaultyLink } from "../../support/faulty-link.ts";
import type { Reach } from "../../support/fleet.ts";
import type { TestSystem } from "../../support/system.ts";

/** Who is reached over links. */
export type Peer = "old" | "new" | "etcd";

/** A link between each process of a fleet and each of what it reaches, so that either end can be cut off alone. */
export class StageLinks {
  readonly #links = new Map<string, FaultyLink>();

  /** Makes the links of one process of the fleet, and says where they begin. */
  async reach(process: string, system: TestSystem, etcdPort: number): Promise<Reach> {
    const to = async (peer: Peer, port: () => number): Promise<number> => {
      const link = await FaultyLink.start(port);
      this.#links.set(`${process}-${peer}`, link);
      return link.port;
    };
    let config = system.config;
    for (const home of ["old", "new"] as const) {
      const entry = `port: ${system[home].port},`;
      if (!config.includes(entry)) throw new Error(`the configuration does not say "${entry}"`);
      // In clear text: a link that sees whose connection it carries can strand streams.
      const port = await to(home, () => system[home].port);
      config = config.replace(entry, `port: ${port}, tls: { mode: disabled },`);
    }
    return { config, etcdPort: await to("etcd", () => etcdPort) };
  }

  /** All that lead to a peer, whoever uses them. */
  to(peer: Peer): readonly FaultyLink[] {
    return [...this.#links].filter(([name]) => name.endsWith(`-${peer}`)).map(([, link]) => link);
  }

  /** All of one process: c1, c2, p1 or p2. */
  of(process: string): readonly FaultyLink[] {
    return [...this.#links].filter(([name]) => name.startsWith(`${process}-`)).map(([, link]) => link);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#links.values()].map((link) => link.close()));
  }
}
