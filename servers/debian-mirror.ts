import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "./run-command.ts";

/**
 * The address of the mirror that this machine takes its own Debian release from, so that none is written down here:
 * asked from apt, else read from its enabled sources. `undefined` when there is none.
 */
export async function debianMirror(): Promise<string | undefined> {
  const format = "$(REPO_URI) $(LABEL)";
  const listed = await runCommand("apt-get", ["indextargets", "--format", format, "Identifier: Packages"]).catch(
    () => "",
  );
  for (const line of listed.split("\n")) {
    const [uri, label] = line.split(" ");
    if (uri?.includes("://") && label === "Debian") return uri;
  }
  // apt lists only what it has fetched before; a fresh image has fetched nothing.
  return mirrorOfSources(readSources("/etc/apt"));
}

function readSources(folder: string): { name: string; text: string }[] {
  const parts = join(folder, "sources.list.d");
  const names = [join(folder, "sources.list"), ...list(parts).map((name) => join(parts, name))];
  return names.flatMap((name) => {
    try {
      return [{ name, text: readFileSync(name, "utf8") }];
    } catch {
      return [];
    }
  });
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

/** The first Debian archive among the sources: its path ends in `/debian`, which `-security` and others do not. */
export function mirrorOfSources(
  files: readonly { readonly name: string; readonly text: string }[],
): string | undefined {
  for (const file of files) {
    const uris = file.name.endsWith(".sources") ? urisOfDeb822(file.text) : urisOfList(file.text);
    const uri = uris.find((candidate) => /\/debian\/?$/.test(candidate));
    if (uri !== undefined) return uri;
  }
  return undefined;
}

function urisOfDeb822(text: string): string[] {
  return text.split(/\n\s*\n/).flatMap((stanza) => {
    if (/^Enabled:\s*(no|false|0)\s*$/im.test(stanza)) return [];
    return /^URIs:\s*(.*)$/im.exec(stanza)?.[1]?.trim().split(/\s+/) ?? [];
  });
}

function urisOfList(text: string): string[] {
  return text.split("\n").flatMap((line) => {
    const uri = /^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)/.exec(line)?.[1];
    return uri === undefined ? [] : [uri];
  });
}
