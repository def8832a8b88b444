import { isIPv4, isIPv6 } from "node:net";
import { SwitchyardError } from "../base/errors.ts";

/** Where a connection has come from, as a load balancer in front of us says it. */
export interface ProxyHeader {
  /** Bytes of the header; what follows them is the client's. */
  readonly bytes: number;
  /** The client's address; undefined where the balancer speaks for itself, as in its health checks. */
  readonly source: string | undefined;
}

/** A header of version 1 is a line, and no longer than this. */
const LINE_BYTES_MAX = 107;
const LINE_START = Buffer.from("PROXY ");
const SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const HEAD_BYTES = 16;
/** Addresses and what a balancer adds to them: names, certificates' subjects, checksums. */
const BODY_BYTES_MAX = 2048;

/**
 * Reads the header of the PROXY protocol, version 1 or 2, with which a connection begins. Answers "more" while what has
 * come can still become one; never more than about 2 KiB need be kept for it.
 *
 * @throws {SwitchyardError} `WIRE_MALFORMED` as soon as it cannot be a header any more
 */
export function parseProxyHeader(bytes: Buffer): ProxyHeader | "more" {
  if (startsLike(bytes, SIGNATURE)) return bytes.length < HEAD_BYTES ? "more" : readBinary(bytes);
  if (startsLike(bytes, LINE_START)) return readLine(bytes);
  throw malformed("it does not begin like one");
}

function startsLike(bytes: Buffer, start: Buffer): boolean {
  const common = Math.min(bytes.length, start.length);
  return bytes.subarray(0, common).equals(start.subarray(0, common));
}

function readLine(bytes: Buffer): ProxyHeader | "more" {
  const end = bytes.subarray(0, LINE_BYTES_MAX).indexOf("\r\n");
  if (end < 0) {
    if (bytes.length >= LINE_BYTES_MAX) throw malformed(`its line is longer than ${LINE_BYTES_MAX} bytes`);
    return "more";
  }
  const line = bytes.toString("latin1", 0, end);
  if (line === "PROXY UNKNOWN" || line.startsWith("PROXY UNKNOWN ")) return { bytes: end + 2, source: undefined };
  const parts = /^PROXY TCP([46]) (\S+) (\S+) (\d{1,5}) (\d{1,5})$/.exec(line);
  const [, family, source = "", target = "", ...ports] = parts ?? [];
  const isAddress = family === "6" ? isIPv6 : isIPv4;
  if (parts === null || !isAddress(source) || !isAddress(target) || ports.some((port) => Number(port) > 65_535)) {
    throw malformed("its line names no two addresses and ports");
  }
  return { bytes: end + 2, source };
}

function readBinary(bytes: Buffer): ProxyHeader | "more" {
  const [command = 0, family = 0] = [bytes[12], bytes[13]];
  const length = bytes.readUInt16BE(14);
  if (command !== 0x20 && command !== 0x21) throw malformed(`it has version and command 0x${command.toString(16)}`);
  if (length > BODY_BYTES_MAX) throw malformed(`${length} bytes are announced; ${BODY_BYTES_MAX} are allowed`);
  const end = HEAD_BYTES + length;
  if (bytes.length < end) return "more";
  if (command === 0x20 || family === 0x00) return { bytes: end, source: undefined };
  const body = bytes.subarray(HEAD_BYTES, end);
  if (family === 0x11 && length >= 12) return { bytes: end, source: body.subarray(0, 4).join(".") };
  if (family === 0x21 && length >= 36) return { bytes: end, source: textOfIPv6(body.subarray(0, 16)) };
  throw malformed(`it has ${length} bytes for addresses of family 0x${family.toString(16)}`);
}

function textOfIPv6(address: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, at) => address.readUInt16BE(at * 2).toString(16));
  // Writes it in its shortest form.
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

function malformed(why: string): SwitchyardError {
  return new SwitchyardError("WIRE_MALFORMED", {
    what: `a connection from a trusted network must begin with a header of the PROXY protocol: ${why}`,
    fix: "Have the load balancer send it, or take its network out of `proxyProtocol.trusted`.",
  });
}
