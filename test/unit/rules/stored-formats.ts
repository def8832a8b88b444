import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { releaseClaims } from "../../../src/cutover/ends.ts";
import { listOtherFormats, listProxies } from "../../../src/cutover/proxy-view.ts";
import { serializeClaim } from "../../../src/rules/claim-document.ts";
import { type DocumentKind, upgradeStored } from "../../../src/rules/document-format.ts";
import { upgradeDocuments } from "../../../src/rules/document-kinds.ts";
import { initialRules } from "../../../src/rules/rules-edits.ts";
import {
  CLAIMS_PREFIX,
  DIFFS_PREFIX,
  LEADER_KEY,
  ORDER_RECORDS_PREFIX,
  PROXIES_PREFIX,
  RULES_KEY,
} from "../../../src/rules/store-keys.ts";
import { removeTraces } from "../../../src/serve/ended-process.ts";
import type { Store } from "../../../src/store/store.ts";
import { migrationDocument } from "../cutover/memory-store.ts";

export interface OpenedStore {
  readonly store: Store;
  end(): Promise<void>;
}

/** Claims that have come to their second format: the name got another word. */
const SECOND_CLAIM: DocumentKind = {
  name: "a claim",
  format: 2,
  steps: { 1: ({ migration, ...rest }) => ({ ...rest, format: 2, by: migration }) },
  codes: { newer: "STORE_FORMAT_NEWER", malformed: "CUTOVER_DOCUMENT_INVALID" },
};

/** What formats of documents promise, on a store of one sort. */
export function storedFormats(name: string, open: () => Promise<OpenedStore>): void {
  describe(`documents of other formats in ${name}`, () => {
    let opened: OpenedStore;
    beforeEach(async () => {
      opened = await open();
    });
    afterEach(() => opened.end());
    const put = (key: string, value: object): Promise<unknown> =>
      opened.store.transact([], [{ put: key, value: JSON.stringify(value) }]);
    const all = async (): Promise<unknown> =>
      (await opened.store.list("/switchyard")).entries.map(({ key, value }) => [key, value]);

    test.each([`${CLAIMS_PREFIX}u/shop.items`, `${ORDER_RECORDS_PREFIX}m/o`, `${DIFFS_PREFIX}m`])(
      "newer at %s: this version does not lead, and changes nothing",
      async (key) => {
        await put(RULES_KEY, initialRules("old"));
        await put(key, { format: 2 });
        const before = await all();
        await expect(upgradeDocuments(opened.store)).rejects.toThrow(`STORE_FORMAT_NEWER: ${key} has format 2`);
        expect(await all()).toEqual(before);
      },
    );

    test("older: each is written once in the present one by whoever comes first, and stays so", async () => {
      await put(`${CLAIMS_PREFIX}u/shop.items`, { format: 1, migration: "m" });
      await put(`${CLAIMS_PREFIX}u/shop.orders`, { format: 2, by: "m" });
      const { store } = opened;
      const counts = await Promise.all([1, 2, 3].map(() => upgradeStored(store, SECOND_CLAIM, CLAIMS_PREFIX)));
      expect(counts.reduce((sum, count) => sum + count)).toBe(1);
      const present = [
        [`${CLAIMS_PREFIX}u/shop.items`, '{"format":2,"by":"m"}'],
        [`${CLAIMS_PREFIX}u/shop.orders`, '{"format":2,"by":"m"}'],
      ];
      expect(await all()).toEqual(present);
      expect(await upgradeStored(store, SECOND_CLAIM, CLAIMS_PREFIX)).toBe(0);
    });

    test("a registered proxy of another: no list of proxies is given to decide by", async () => {
      await put(`${PROXIES_PREFIX}p1`, { format: 4, id: "p1" });
      await put(`${PROXIES_PREFIX}p2`, { format: 0, id: "p2" });
      expect(await listOtherFormats(opened.store)).toEqual([
        { id: "p1", format: 4 },
        { id: "p2", format: 0 },
      ]);
      await expect(listProxies(opened.store)).rejects.toThrow(
        /^CUTOVER_PROXY_FORMAT: proxy p1 registers in format 4, and this version in 3.*not switched.*forgets/s,
      );
    });

    test("a newer claim is not taken for one of ours, nor for nobody's", async () => {
      const document = { ...migrationDocument(), sourceUuid: "u", targetUuid: "v" };
      await put(`${CLAIMS_PREFIX}u/shop.items`, JSON.parse(serializeClaim("m")) as object);
      await put(`${CLAIMS_PREFIX}u/shop.orders`, { format: 2, migration: "m" });
      const ports = { store: opened.store, leadership: () => [] } as unknown as Parameters<typeof releaseClaims>[0];
      const before = await all();
      await expect(releaseClaims(ports, document)).rejects.toThrow("STORE_FORMAT_NEWER");
      expect(await all()).toEqual(before);
    });

    test("a newer leader's name is left alone when a process of ours has ended", async () => {
      await put(LEADER_KEY, { format: 2, id: "us" });
      await expect(removeTraces(opened.store, "us")).rejects.toThrow("STORE_FORMAT_NEWER");
      expect(await opened.store.get(LEADER_KEY)).toBeDefined();
      await put(LEADER_KEY, { format: 1, id: "us" });
      await removeTraces(opened.store, "us");
      expect(await opened.store.get(LEADER_KEY)).toBeUndefined();
    });
  });
}

/** What every store is opened with. */
export const QUIET = { clock: systemClock, log: silentLogger } as const;
