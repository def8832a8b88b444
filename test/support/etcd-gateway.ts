import { execFileSync } from "node:child_process";

interface GatewayKey {
  readonly key: string;
  readonly value?: string;
}

const ANSWER_MS_MAX = 5000;

/** Talks to an etcd by its JSON gateway, past the client that is tested. Only for servers without TLS. */
export class EtcdGateway {
  readonly #endpoint: string;
  #token: string | undefined;

  constructor(endpoint: string) {
    this.#endpoint = endpoint;
  }

  /** One request, which must succeed. */
  async ask(path: string, request: object): Promise<Readonly<Record<string, unknown>>> {
    const answer = await fetch(`${this.#endpoint}/v3/${path}`, {
      method: "POST",
      body: JSON.stringify(request),
      headers: this.#token === undefined ? {} : { Authorization: this.#token },
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`etcd refuses ${path}: ${text}`);
    return JSON.parse(text) as Record<string, unknown>;
  }

  async put(key: string, value: string): Promise<void> {
    await this.ask("kv/put", { key: base64(key), value: base64(value) });
  }

  /** Every key below `prefix` with its value. */
  async all(prefix: string): Promise<Map<string, string>> {
    const answer = await this.ask("kv/range", { key: base64(prefix), range_end: base64(`${prefix}\u007f`) });
    const kvs = (answer["kvs"] ?? []) as readonly GatewayKey[];
    return new Map(kvs.map(({ key, value }) => [text(key), text(value ?? "")]));
  }

  /**
   * Writes `key` twenty times and lets etcd forget all revisions before the last, while the caller's event loop stands
   * still: nothing that the caller has yet to send is sent meanwhile.
   */
  writeAndCompactAtOnce(key: string): void {
    const program = `
      const ask = async (path, request) => {
        const answer = await fetch("${this.#endpoint}/v3/kv/" + path, { method: "POST", body: JSON.stringify(request) });
        if (!answer.ok) throw new Error(await answer.text());
        return (await answer.json()).header.revision;
      };
      let revision;
      for (let n = 1; n <= 20; n++) revision = await ask("put", { key: "${base64(key)}", value: btoa(String(n)) });
      await ask("compaction", { revision, physical: true });
    `;
    execFileSync(process.execPath, ["--input-type=module", "-e", program], { timeout: ANSWER_MS_MAX * 3 });
  }

  /** Makes the users `root` and `switchyard`, the latter with a role for `prefix` and nothing else, and asks for them. */
  async enableAuth(prefix: string, password: string): Promise<void> {
    const administrator = "root";
    await this.ask("auth/user/add", { name: administrator, password });
    await this.ask("auth/role/add", { name: administrator });
    await this.ask("auth/user/grant", { user: administrator, role: administrator });
    await this.ask("auth/user/add", { name: "switchyard", password });
    await this.ask("auth/role/add", { name: "switchyard" });
    const range = { key: base64(prefix), range_end: base64(`${prefix.slice(0, -1)}${nextLetter(prefix)}`) };
    await this.ask("auth/role/grant", { name: "switchyard", perm: { permType: "READWRITE", ...range } });
    await this.ask("auth/user/grant", { user: "switchyard", role: "switchyard" });
    await this.ask("auth/enable", {});
  }

  /** Tokens of etcd end with its `--auth-token-ttl`; each call takes a fresh one. */
  async logIn(name: string, password: string): Promise<void> {
    this.#token = undefined;
    this.#token = String((await this.ask("auth/authenticate", { name, password }))["token"]);
  }
}

function base64(value: string): string {
  return Buffer.from(value).toString("base64");
}

function text(value: string): string {
  return Buffer.from(value, "base64").toString();
}

function nextLetter(value: string): string {
  return String.fromCharCode(value.charCodeAt(value.length - 1) + 1);
}
