import { EventReader, malformed } from "./event-reader.ts";
import { type JsonStep, parseJsonPath } from "./json-path.ts";
import { type JsonNode, readJson } from "./json-value.ts";

/** One difference between the value before and after: replace what is there, insert a member or element, remove one. */
export interface JsonDiff {
  readonly operation: "replace" | "insert" | "remove";
  /** As the server wrote it. */
  readonly path: string;
  /** `undefined` for `remove`. */
  readonly value: JsonNode | undefined;
}

const OPERATIONS = ["replace", "insert", "remove"] as const;
type Container = Extract<JsonNode, { kind: "object" | "array" }>;

/**
 * Reads the differences that a partial update has for one JSON column, in the order in which they are to be made.
 * None at all means that the value is as before.
 *
 * @throws {SwitchyardError} `BINLOG_MALFORMED`
 */
export function decodeJsonDiffs(buffer: Buffer, start: number, end: number): JsonDiff[] {
  const reader = new EventReader(buffer, start, end);
  const diffs: JsonDiff[] = [];
  while (reader.left > 0) {
    const code = reader.u8();
    const operation = OPERATIONS[code];
    if (operation === undefined) throw malformed(`a JSON difference of kind ${code}`);
    const path = reader.text(reader.lenenc());
    let value: JsonNode | undefined;
    if (operation !== "remove") {
      const length = reader.lenenc();
      const at = reader.skip(length);
      if (length === 0) throw malformed("a JSON difference without its value");
      value = readJson(buffer, at, at + length);
    }
    diffs.push({ operation, path, value });
  }
  return diffs;
}

/**
 * The value after: `before` with all differences made, one after the other. `before` stays as it is.
 *
 * @throws {SwitchyardError} `BINLOG_MALFORMED` when a difference does not fit the value: then `before` is not the
 *   value that the server had.
 */
export function applyJsonDiffs(before: JsonNode, diffs: readonly JsonDiff[]): JsonNode {
  let node = before;
  for (const diff of diffs) node = applyOne(node, diff, parseJsonPath(diff.path), 0);
  return node;
}

function applyOne(node: JsonNode, diff: JsonDiff, steps: readonly JsonStep[], depth: number): JsonNode {
  const step = steps[depth];
  if (step === undefined) return replaced(diff);
  // The first or last element of what is no array is that itself.
  if (node.kind !== "array" && !("member" in step)) {
    const isItself = "cell" in step ? step.cell === 0 : step.fromEnd === 0;
    if (isItself && (depth < steps.length - 1 || diff.operation === "replace")) {
      return applyOne(node, diff, steps, depth + 1);
    }
    throw misfit(diff);
  }
  if (depth === steps.length - 1) return applyLast(node, diff, step);
  const at = find(node, step);
  if (at === undefined) throw misfit(diff);
  return withChild(node as Container, at, applyOne(childAt(node as Container, at), diff, steps, depth + 1));
}

function replaced(diff: JsonDiff): JsonNode {
  if (diff.operation !== "replace" || diff.value === undefined) throw misfit(diff);
  return diff.value;
}

function applyLast(node: JsonNode, diff: JsonDiff, step: JsonStep): JsonNode {
  if (node.kind !== "object" && node.kind !== "array") throw misfit(diff);
  const at = find(node, step);
  if (diff.operation === "insert") {
    if (diff.value === undefined) throw misfit(diff);
    if (node.kind === "array") return inserted(node.elements, insertAt(node.elements.length, step), diff.value);
    if (at !== undefined || !("member" in step)) throw misfit(diff);
    return addMember(node.members, step.member, diff.value);
  }
  if (at === undefined) throw misfit(diff);
  return diff.operation === "remove" ? withoutChild(node, at) : withChild(node, at, replaced(diff));
}

/** Where the step leads to in the node, if there is anything. */
function find(node: JsonNode, step: JsonStep): number | undefined {
  let at = -1;
  if (node.kind === "object" && "member" in step) at = node.members.findIndex(([key]) => key === step.member);
  if (node.kind === "array" && "cell" in step) at = step.cell < node.elements.length ? step.cell : -1;
  if (node.kind === "array" && "fromEnd" in step) at = node.elements.length - 1 - step.fromEnd;
  return at < 0 ? undefined : at;
}

/** An element beyond the end goes to the end, one before the beginning to the beginning. */
function insertAt(length: number, step: JsonStep): number {
  if ("cell" in step) return Math.min(step.cell, length);
  return "fromEnd" in step ? Math.max(0, length - 1 - step.fromEnd) : length;
}

function childAt(node: Container, at: number): JsonNode {
  return node.kind === "object"
    ? (node.members[at] as readonly [string, JsonNode])[1]
    : (node.elements[at] as JsonNode);
}

function withChild(node: Container, at: number, child: JsonNode): JsonNode {
  if (node.kind === "array") return { kind: "array", elements: node.elements.with(at, child) };
  const [key] = node.members[at] as readonly [string, JsonNode];
  return { kind: "object", members: node.members.with(at, [key, child]) };
}

function withoutChild(node: Container, at: number): JsonNode {
  if (node.kind === "array") return { kind: "array", elements: node.elements.toSpliced(at, 1) };
  return { kind: "object", members: node.members.toSpliced(at, 1) };
}

function inserted(elements: readonly JsonNode[], at: number, value: JsonNode): JsonNode {
  return { kind: "array", elements: elements.toSpliced(at, 0, value) };
}

/** The server keeps members by the length of their names in bytes, then by those bytes. */
function addMember(members: readonly (readonly [string, JsonNode])[], key: string, value: JsonNode): JsonNode {
  const bytes = Buffer.from(key, "utf8");
  const later = members.findIndex(([other]) => {
    const otherBytes = Buffer.from(other, "utf8");
    return otherBytes.length > bytes.length || (otherBytes.length === bytes.length && otherBytes.compare(bytes) > 0);
  });
  return { kind: "object", members: members.toSpliced(later < 0 ? members.length : later, 0, [key, value]) };
}

function misfit(diff: JsonDiff): ReturnType<typeof malformed> {
  return malformed(`a JSON difference (${diff.operation}) does not fit the value before it`);
}
