import { createPrivateKey, X509Certificate } from "node:crypto";
import { describe, expect, test } from "vitest";
import { derInteger, derOid, derSequence, derTime } from "../../../src/proxy/der-writer.ts";
import { generateCertificate } from "../../../src/proxy/server-keys.ts";

describe("the generated certificate", () => {
  test("is read by others as signed by its own key and valid for years", async () => {
    const now = new Date("2026-11-21T00:00:00Z");
    const { cert, key } = await generateCertificate(now);
    const certificate = new X509Certificate(cert);
    expect(certificate.subject).toBe("CN=Switchyard proxy (generated)");
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(certificate.checkPrivateKey(createPrivateKey(key))).toBe(true);
    expect(new Date(certificate.validFrom) < now).toBe(true);
    expect(new Date(certificate.validTo).getUTCFullYear()).toBe(2036);
    expect(certificate.ca).toBe(true);
  });
});

describe("encoded values", () => {
  test.each([
    [derInteger(Buffer.from([0x80])), "02020080"],
    [derInteger(Buffer.from([0x7f])), "02017f"],
    [derOid("1.2.840.113549.1.1.11"), "06092a864886f70d01010b"],
    [derTime(new Date("2049-12-31T23:59:59Z")), `170d${Buffer.from("491231235959Z").toString("hex")}`],
    [derTime(new Date("2050-01-01T00:00:00Z")), `180f${Buffer.from("20500101000000Z").toString("hex")}`],
  ])("are those of the standard: %s", (value, hex) => {
    expect(value.toString("hex")).toBe(hex);
  });

  test("have lengths of one, two and three bytes", () => {
    expect(derSequence(Buffer.alloc(127)).subarray(0, 2)).toEqual(Buffer.from([0x30, 0x7f]));
    expect(derSequence(Buffer.alloc(128)).subarray(0, 3)).toEqual(Buffer.from([0x30, 0x81, 0x80]));
    expect(derSequence(Buffer.alloc(300)).subarray(0, 4)).toEqual(Buffer.from([0x30, 0x82, 0x01, 0x2c]));
  });
});
