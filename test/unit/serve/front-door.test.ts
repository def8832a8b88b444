import { connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { silentLogger } from "../../../src/base/logger.ts";
import { type ClientTaker, FrontDoor } from "../../../src/serve/front-door.ts";

/** A process that notes whom it was handed, greets them, and takes the next one when it is told to. */
class Process implements ClientTaker {
  readonly taken: Socket[] = [];
  gone = false;

  hand(socket: Socket): boolean {
    if (this.gone) return false;
    this.taken.push(socket);
    socket.end("hello");
    return true;
  }
}

let door: FrontDoor;
afterEach(() => door.close());

async function opened(...processes: Process[]): Promise<number> {
  door = new FrontDoor({ host: "127.0.0.1", port: 0 }, silentLogger);
  const [address] = await Promise.all(processes.map((process) => door.admit(process)));
  return Number(/:(\d+)$/.exec(address ?? "")?.[1]);
}

/** What a client is told: a greeting, nothing before it is disconnected, or that nobody listens. */
function client(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let told = "";
    socket.on("data", (bytes) => {
      told += bytes.toString();
    });
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.on("end", () => resolve(told));
  });
}

test("clients go to the processes in turn", async () => {
  const processes = [new Process(), new Process(), new Process()];
  const port = await opened(...processes);
  for (let round = 0; round < 4; round++) {
    for (const _ of processes) expect(await client(port)).toBe("hello");
    for (const process of processes) door.taken(process);
  }
  expect(processes.map(({ taken }) => taken.length)).toEqual([4, 4, 4]);
});

test("a process that stands still gets one client and no more; where all do, clients wait for the first that is free", async () => {
  const [still, other] = [new Process(), new Process()];
  const port = await opened(still, other);
  expect(await client(port)).toBe("hello");
  for (let count = 0; count < 3; count++) {
    expect(await client(port)).toBe("hello");
    if (count < 2) door.taken(other);
  }
  expect([still.taken.length, other.taken.length]).toEqual([1, 3]);
  const waiting = client(port);
  await sleep(50);
  expect([still.taken.length, other.taken.length]).toEqual([1, 3]);
  door.taken(other);
  expect(await waiting).toBe("hello");
});

test("clients that wait when the door is closed are disconnected, and those that come later refused", async () => {
  const port = await opened(new Process());
  expect(await client(port)).toBe("hello");
  const waiting = [client(port), client(port)];
  await sleep(50);
  door.close();
  expect(await Promise.all(waiting)).toEqual(["", ""]);
  expect(await client(port)).toBe("ECONNREFUSED");
});

test("where no process is left clients are refused, until there is one again, at the same port", async () => {
  const [first, second] = [new Process(), new Process()];
  const port = await opened(first, second);
  first.gone = true;
  expect(await client(port), "one that has just gone is passed over").toBe("hello");
  door.leave(first);
  door.leave(second);
  expect(await client(port)).toBe("ECONNREFUSED");
  const third = new Process();
  expect(await door.admit(third)).toBe(`127.0.0.1:${port}`);
  expect(await client(port)).toBe("hello");
  expect(third.taken).toHaveLength(1);
});

test("a client is disconnected whose process ends before it has taken it, also when the door is closed by then", async () => {
  class Silent extends Process {
    override hand(socket: Socket): boolean {
      this.taken.push(socket);
      return true;
    }
  }
  const silent = new Silent();
  const port = await opened(silent, new Process());
  const lost = client(port);
  await sleep(50);
  expect(silent.taken).toHaveLength(1);
  door.close();
  expect(silent.taken[0]?.destroyed, "on its way when the door is closed").toBe(false);
  door.leave(silent);
  expect(await lost).toBe("");
});

test("a port that somebody else has is said, and tried again for the next process", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await sleep(20);
  const { port } = other.address() as { port: number };
  door = new FrontDoor({ host: "127.0.0.1", port }, silentLogger);
  await expect(door.admit(new Process())).rejects.toThrow(/PROXY_LISTEN_FAILED: cannot listen on 127.0.0.1:/);
  await new Promise((resolve) => other.close(resolve));
  expect(await door.admit(new Process())).toBe(`127.0.0.1:${port}`);
});
