import { describe, expect, test } from "vitest";
import { isSwitchyardError } from "../../../src/base/errors.ts";
import { TrustedNetworks } from "../../../src/proxy/client-origin.ts";
import { parseProxyHeader } from "../../../src/proxy/proxy-header.ts";
import { fc } from "../../support/seeded-properties.ts";

const SIGNATURE = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
const v2 = (hex: string): Buffer => Buffer.concat([SIGNATURE, Buffer.from(hex, "hex")]);
/** 192.0.2.1:50000 to 198.51.100.2:3306. */
const V4 = "c0000201c6336402c3500cea";
/** 2001:db8::1, port 50000, to 2001:db8::2, port 3306. */
const V6 = "20010db800000000000000000000000120010db8000000000000000000000002c3500cea";

const GOOD: readonly (readonly [string, Buffer, string | undefined])[] = [
  ["TCP4 as a line", Buffer.from("PROXY TCP4 192.0.2.1 198.51.100.2 50000 3306\r\n"), "192.0.2.1"],
  ["TCP6 as a line", Buffer.from("PROXY TCP6 2001:db8::1 2001:db8::2 50000 3306\r\n"), "2001:db8::1"],
  ["an unknown origin as a line", Buffer.from("PROXY UNKNOWN\r\n"), undefined],
  ["an unknown origin with addresses", Buffer.from("PROXY UNKNOWN ff::1 ff::2 1 2\r\n"), undefined],
  ["TCP4 in binary", v2(`2111000c${V4}`), "192.0.2.1"],
  ["TCP4 in binary with additions", v2(`21110012${V4}030003abcdef`), "192.0.2.1"],
  ["TCP6 in binary", v2(`21210024${V6}`), "2001:db8::1"],
  ["a health check in binary", v2("20000000"), undefined],
  ["a health check in binary with addresses", v2(`2011000c${V4}`), undefined],
];

const BAD: readonly (readonly [string, Buffer])[] = [
  ["nothing like it", Buffer.from("GET / HTTP/1.1\r\n")],
  ["a login", Buffer.from([32, 0, 0, 1, 0x0d, 0xa6])],
  ["a line in lower case", Buffer.from("proxy TCP4 192.0.2.1 198.51.100.2 1 2\r\n")],
  ["an address that is none", Buffer.from("PROXY TCP4 192.0.2.256 198.51.100.2 1 2\r\n")],
  ["an address of the other family", Buffer.from("PROXY TCP4 ::1 ::2 1 2\r\n")],
  ["a port that is none", Buffer.from("PROXY TCP4 192.0.2.1 198.51.100.2 1 65536\r\n")],
  ["a field too many", Buffer.from("PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3\r\n")],
  ["a line without end", Buffer.from(`PROXY TCP4 ${"1".repeat(200)}`)],
  ["another version in binary", v2(`3111000c${V4}`)],
  ["another command in binary", v2(`2211000c${V4}`)],
  ["addresses cut short", v2("2111000bc0000201c6336402c3500c")],
  ["a socket file", v2(`213100d8${"00".repeat(216)}`)],
  ["more than is allowed, announced", v2("2111ffff")],
];

describe("a header of the PROXY protocol", () => {
  test.each(GOOD)("with %s is read, and what follows it is left", (_, header, source) => {
    const rest = Buffer.from("PROXY TCP4 of the client's own");
    expect(parseProxyHeader(Buffer.concat([header, rest]))).toEqual({ bytes: header.length, source });
  });

  test.each(GOOD)("with %s is waited for while it is cut short", (_, header) => {
    for (let length = 0; length < header.length; length++) {
      expect(parseProxyHeader(header.subarray(0, length))).toBe("more");
    }
  });

  test.each(BAD)("with %s is refused", (_, bytes) => {
    expect(() => parseProxyHeader(bytes)).toThrow(/WIRE_MALFORMED/);
  });

  test("is never waited for beyond its bounds, whatever comes", () => {
    const start = fc.constantFrom(
      Buffer.alloc(0),
      Buffer.from("PROXY "),
      Buffer.from("PROXY TCP4 "),
      SIGNATURE,
      v2("21"),
    );
    fc.assert(
      fc.property(start, fc.uint8Array({ maxLength: 3000 }), (begin, rest) => {
        const bytes = Buffer.concat([begin, rest]);
        try {
          const header = parseProxyHeader(bytes);
          if (header === "more") expect(bytes.length).toBeLessThan(16 + 2048);
          else expect(header.bytes).toBeLessThanOrEqual(bytes.length);
        } catch (error) {
          expect(isSwitchyardError(error, "WIRE_MALFORMED")).toBe(true);
        }
      }),
    );
  });
});

describe("trusted networks", () => {
  test.each([
    [["10.0.0.0/8"], "10.1.2.3", true],
    [["10.0.0.0/8"], "::ffff:10.1.2.3", true],
    [["10.0.0.0/8"], "11.0.0.1", false],
    [["127.0.0.1"], "127.0.0.1", true],
    [["127.0.0.1"], "127.0.0.2", false],
    [["2001:db8::/32"], "2001:db8:1::1", true],
    [["2001:db8::/32"], "2001:db9::1", false],
    [[], "127.0.0.1", false],
    [["0.0.0.0/0"], "unknown", false],
  ])("%j has %s: %s", (networks, address, expected) => {
    expect(new TrustedNetworks(networks).has(address)).toBe(expected);
  });
});
