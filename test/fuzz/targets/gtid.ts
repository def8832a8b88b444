import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import type { FuzzTarget } from "../fuzz-target.ts";
import { expectThat, readAgain } from "../promise.ts";

const A = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
const B = "0c7aa3e1-71ca-11e1-9e33-c80aa9429562";

const TEXTS = [
  "",
  `${A}:1`,
  `${A}:1-5:9`,
  `${A}:1-5:9,${B}:1-3`,
  `${A}:1-5:nightly:1-2:9,\n${B}:import:7-8`,
  `${A.toUpperCase()}: 3 - 5 : Tag_1 : 1 , ${B}:1-9007199254740991`,
  `${A}:${Array.from({ length: 60 }, (_, i) => i * 2 + 1).join(":")}`,
];

/** The first byte says which form the rest is in: text, or binary. */
const TEXT = 0;
const BINARY = 1;

export const target: FuzzTarget = {
  errors: ["GTID_SET_INVALID"],
  dictionary: [A, B, ":", ",", "-", "1-5", ":tag:", "9007199254740991", "9223372036854775806", " ", "\n", "_"].map(
    (text) => Buffer.from(text),
  ),
  corpus: () =>
    TEXTS.flatMap((text) => [
      Buffer.concat([Buffer.from([TEXT]), Buffer.from(text)]),
      Buffer.concat([Buffer.from([BINARY]), GtidSet.parse(text).encodeBinary()]),
    ]),
  run(input) {
    const rest = input.subarray(1);
    const set = input[0] === BINARY ? GtidSet.decodeBinary(rest) : GtidSet.parse(rest.toString("latin1"));
    const text = set.toString();
    expectThat(readAgain(() => GtidSet.parse(text)).toString() === text, "its canonical text reads as another set");
    const decoded = readAgain(() => GtidSet.decodeBinary(set.encodeBinary()));
    expectThat(decoded.toString() === text, "its binary form reads as another set");
    expectThat(decoded.equals(set) && set.contains(decoded), "it is not equal to itself");
    expectThat(set.subtract(decoded).isEmpty, "less itself something remains");
    expectThat(set.union(decoded).toString() === text, "with itself it is more");
  },
};
