import { describe, expect, test } from "vitest";
import { mirrorOfSources } from "../../../servers/debian-mirror.ts";

const deb822 = (text: string): { name: string; text: string } => ({ name: "debian.sources", text });
const list = (text: string): { name: string; text: string } => ({ name: "sources.list", text });

describe("the mirror that apt's sources name", () => {
  test.each([
    [[deb822("Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm\n")], "the new format"],
    [[list("deb [arch=amd64] http://mirror.example/debian bookworm main\n")], "the one-line format, with options"],
    [[list("deb http://sec.example/debian-security x main\ndeb http://mirror.example/debian x main")], "not -security"],
    [[list("# deb http://old.example/debian x main\ndeb http://mirror.example/debian x main")], "not a comment"],
    [
      [deb822("Enabled: no\nURIs: http://off.example/debian\n\nTypes: deb\nURIs: http://mirror.example/debian\n")],
      "not a disabled stanza",
    ],
    [[list("deb https://apt.example/node_20.x x main"), deb822("URIs: http://mirror.example/debian")], "not a vendor"],
  ])("%#: %j is found (%s)", (files) => {
    expect(mirrorOfSources(files)).toBe("http://mirror.example/debian");
  });

  test("is unknown where no source is Debian's", () => {
    expect(mirrorOfSources([list("deb https://apt.example/node_20.x x main")])).toBeUndefined();
  });
});
