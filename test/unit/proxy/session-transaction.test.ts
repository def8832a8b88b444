import { describe, expect, test } from "vitest";
import { SessionTransaction } from "../../../src/proxy/session-transaction.ts";

describe("a transaction that no server knows of", () => {
  test("opens with its BEGIN and the savepoints that are left", () => {
    const transaction = new SessionTransaction();
    transaction.begin("read-only");
    for (const name of ["a", "B", "c`d", "b"]) transaction.addSavepoint(name);
    expect(transaction.opening).toEqual([
      "START TRANSACTION READ ONLY",
      "SAVEPOINT `a`",
      "SAVEPOINT `c``d`",
      "SAVEPOINT `b`",
    ]);
    expect(transaction.backTo("A", "rollback-to")).toBe(true);
    expect(transaction.opening).toEqual(["START TRANSACTION READ ONLY", "SAVEPOINT `a`"]);
    expect(transaction.backTo("b", "release")).toBe(false);
    expect(transaction.backTo("a", "release")).toBe(true);
    expect(transaction.opening).toEqual(["START TRANSACTION READ ONLY"]);
  });

  test("shows in the status flags until a server shows it", () => {
    const transaction = new SessionTransaction();
    expect(transaction.lazyFlags).toBe(0);
    transaction.begin("plain");
    expect(transaction.lazyFlags).toBe(1);
    transaction.opened("old");
    expect([transaction.lazyFlags, transaction.backend, transaction.isLazy]).toEqual([0, "old", false]);
  });

  test("ends when the backend that has it says so, and not when another does", () => {
    const transaction = new SessionTransaction();
    transaction.opened("old");
    transaction.told("new", false);
    expect(transaction.backend).toBe("old");
    transaction.told("old", false);
    expect(transaction.isNone).toBe(true);
    transaction.told("new", true);
    expect(transaction.backend).toBe("new");
  });

  test("begins anew, of the same kind and without savepoints, AND CHAIN", () => {
    const transaction = new SessionTransaction();
    transaction.begin("read-write");
    transaction.addSavepoint("a");
    transaction.restart();
    expect(transaction.opening).toEqual(["START TRANSACTION READ WRITE"]);
  });
});

describe("a transaction that a server has begun at once", () => {
  const begun = (): SessionTransaction => {
    const transaction = new SessionTransaction();
    transaction.told("old", true);
    transaction.begun("read-only", ["SET @@transaction_isolation = 'SERIALIZABLE'"]);
    return transaction;
  };

  test("is begun anew elsewhere, in the same form, while it has used no table", () => {
    const transaction = begun();
    transaction.told("old", true, true);
    expect(transaction.mayFollow).toBe(true);
    transaction.follow();
    expect(transaction.opening).toEqual([
      "SET @@transaction_isolation = 'SERIALIZABLE'",
      "START TRANSACTION READ ONLY",
    ]);
  });

  test("stays where it has used a table", () => {
    const transaction = begun();
    transaction.told("old", true);
    expect([transaction.mayFollow, transaction.backend]).toEqual([false, "old"]);
  });
});
