import { request as plain } from "node:http";
import { request as secure } from "node:https";

export interface HttpRequest {
  readonly url: URL;
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  /** PEM of the authorities to trust for `https`; left out, those that Node trusts. */
  readonly ca: string | undefined;
  readonly signal: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

/** More than the largest page of the admin API; what claims to be one and is larger is not. */
const ANSWER_BYTES_MAX = 64 * 1024 ** 2;

/**
 * One request on a connection of its own. Node's `fetch` cannot be told whom to trust without a package.
 *
 * Rejects with what the socket or TLS says, or with the signal's reason.
 */
export function httpRequest({ url, method, headers, body, ca, signal }: HttpRequest): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const send = url.protocol === "https:" ? secure : plain;
    const options = { method, headers, signal, agent: false as const, ...(ca === undefined ? {} : { ca }) };
    const asked = send(url, options, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > ANSWER_BYTES_MAX) asked.destroy(new Error(`an answer of more than ${ANSWER_BYTES_MAX} bytes`));
        else chunks.push(chunk);
      });
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") });
      });
      response.on("error", reject);
    });
    asked.on("error", reject);
    asked.end(body);
  });
}
