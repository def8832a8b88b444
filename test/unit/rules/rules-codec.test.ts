import { describe, expect, test } from "vitest";
import { isSwitchyardError } from "../../../src/base/errors.ts";
import { parseProxyDocument, serializeProxyDocument } from "../../../src/rules/proxy-codec.ts";
import type { ProxyDocument } from "../../../src/rules/proxy-document.ts";
import { parseRules, serializeRules } from "../../../src/rules/rules-codec.ts";
import type { RulesDocument } from "../../../src/rules/rules-document.ts";
import { fc } from "../../support/seeded-properties.ts";

const RULES: RulesDocument = {
  format: 2,
  generation: 7,
  default: "old",
  tables: { "shop.orders": { to: "new", migration: "m" } },
  armed: { m: { token: "t", tables: ["shop.orders"], newHome: "new" } },
  holds: { m: { token: "t", tables: ["shop.orders"], ttlMs: 1, oldHome: "old", newHome: "new" } },
  switchId: "s",
  behind: {
    old: { views: { "shop.v": ["*"] }, triggers: {}, routines: {}, leaves: {}, others: { "": ["shop.p"] } },
    new: { views: {}, triggers: {}, routines: {}, unseen: ["routines"], tooLarge: ["views"] },
  },
};

const PROXY: ProxyDocument = {
  format: 3,
  id: "p",
  bootNonce: "n",
  version: "0.1.0",
  generation: 7,
  armed: {
    m: {
      token: "t",
      state: "preparing",
      blocked: [{ session: "1", user: "a", reason: "pinned", program: "p", statement: "DO ?", forMs: 5 }],
    },
  },
  holds: { m: { token: "t", state: "drained", open: [] } },
  seenTogether: [["shop.a", "shop.b"]],
  accounts: ["app@%"],
  servers: { old: { newest: "u2", open: ["u1", "u2"] } },
};

describe("what was written", () => {
  test("is read back as it was", () => {
    expect(parseRules(serializeRules(RULES))).toEqual(RULES);
    expect(parseProxyDocument(serializeProxyDocument(PROXY))).toEqual(PROXY);
  });
});

describe("what a later version wrote", () => {
  test.each([parseRules, parseProxyDocument])("is refused before anything in it is looked at", (parse) => {
    expect(() => parse('{"format":4,"tables":"of another shape"}')).toThrow("STORE_FORMAT_NEWER");
  });
});

describe("what nobody wrote", () => {
  test.each([
    ["", "no JSON"],
    ["[]", "no object"],
    ["null", "no object"],
    ['{"format":"1"}', "format"],
    ['{"format":0}', "format 0"],
    [JSON.stringify({ ...RULES, generation: -1 }), "generation"],
    [JSON.stringify({ ...RULES, generation: 1.5 }), "generation"],
    [JSON.stringify({ ...RULES, default: undefined }), "default"],
    [JSON.stringify({ ...RULES, tables: [] }), "tables"],
    [JSON.stringify({ ...RULES, tables: { a: 1 } }), 'tables["a"]'],
    [JSON.stringify({ ...RULES, armed: { m: { token: "t", tables: [1], newHome: "x" } } }), 'armed["m"].tables[0]'],
    [JSON.stringify({ ...RULES, holds: { m: { ...RULES.holds["m"], ttlMs: "5" } } }), "ttlMs"],
    [serializeRules(RULES).replace('"shop.orders":{', '"__proto__":{'), "__proto__"],
  ])("%s is refused, and the message names %s", (text, where) => {
    expect(() => parseRules(text)).toThrow("RULES_MALFORMED");
    expect(() => parseRules(text)).toThrow(where);
  });

  test("is refused as malformed, whatever it is", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        try {
          parseRules(text);
        } catch (error) {
          expect(isSwitchyardError(error, "RULES_MALFORMED", "STORE_FORMAT_NEWER")).toBe(true);
        }
      }),
    );
  });

  test("is refused in a proxy's registration, too", () => {
    const wrong = { ...PROXY, holds: { m: { token: "t", state: "done", open: [] } } };
    expect(() => parseProxyDocument(JSON.stringify(wrong))).toThrow("holding, drained");
    expect(() => parseProxyDocument(JSON.stringify({ ...PROXY, seenTogether: ["a"] }))).toThrow("seenTogether[0]");
  });
});
