/** What mysqlbinlog printed: one entry for each event, in order. */
export interface PrintedEvent {
  /** The event's end in the file, modulo 2^32. */
  readonly endPosition: number;
  /** What the event says, in lines that `decoded-lines.ts` writes the same way. */
  readonly lines: readonly string[];
  /** Settings that it printed with a statement: those that changed since the statement before. */
  readonly settings: ReadonlyMap<string, string>;
}

const HEAD = /^#\d{6} [ \d]\d:\d\d:\d\d server id \d+ {2}end_log_pos (\d+) (?:CRC32 0x[0-9a-f]{8} )?\t(.*)$/;

/**
 * Reads the output of `mysqlbinlog -vv --base64-output=decode-rows --print-table-metadata`, as latin1: it prints the
 * bytes of strings as they are.
 */
export function readPrinted(text: string): PrintedEvent[] {
  const lines = text.split("\n");
  const heads = lines.flatMap((line, i) => (HEAD.test(line) ? [i] : []));
  return heads.map((at, i) => {
    const [, endPosition = "", head = ""] = HEAD.exec(lines[at] ?? "") ?? [];
    const body = lines.slice(at + 1, heads[i + 1] ?? lines.length).filter((line) => !/^# at \d+$/.test(line));
    return { endPosition: Number(endPosition), lines: linesOf(head, body), settings: settingsOf(body) };
  });
}

function linesOf(head: string, body: readonly string[]): string[] {
  const [kind = ""] = /^[A-Za-z_-]+/.exec(head) ?? [];
  const find = (pattern: RegExp): string => {
    for (const line of body) {
      const match = pattern.exec(line);
      if (match !== null) return match[1] ?? "";
    }
    return "";
  };
  switch (kind) {
    case "Start":
      return [`format ${/server v (\S+)/.exec(head)?.[1]}`];
    case "Previous-GTIDs":
      return [`previous-gtids ${body.flatMap((line) => /^# ([0-9a-f].*)$/.exec(line)?.[1] ?? []).join("")}`];
    case "GTID":
    case "Anonymous_GTID": {
      const versions = `${find(/immediate_server_version=(\d+)/)} ${find(/original_server_version=(\d+)/)}`;
      return [`gtid ${find(/GTID_NEXT= '(.*)'/)} ${head.split("\t").slice(1).join(" ")} ${versions}`];
    }
    case "Query":
      return [`query ${head.split("\t").slice(1, 4).join(" ")}`, `  ${statementOf(body)}`];
    case "Table_map":
      return tableLines(head, body);
    case "Transaction_Payload":
      return [`payload ${head.split(/\t+/).slice(1).join(" ")}`];
    case "Xid":
      return [`xid ${/\d+/.exec(head)?.[0]}`];
    case "XA":
      return [`xa ${body.find((line) => line.startsWith("XA"))}`];
    case "Rotate":
      return [`rotate ${head.slice("Rotate to ".length).replace(/ +pos: /, ":")}`];
    case "Rows_query":
      return [`rows-query ${body[0]?.slice(2)}`];
    case "Write_rows":
    case "Update_rows":
    case "Update_rows_partial":
    case "Delete_rows":
      return [head, ...rowLines(body)];
    default:
      return [head];
  }
}

/** The text between the settings in front of it and the delimiter behind it. */
function statementOf(body: readonly string[]): string {
  const end = body.indexOf("/*!*/;");
  const begin = body.findIndex((line) => !/\/\*!\*\/;$/.test(line));
  return body.slice(begin, end).join("\n");
}

function settingsOf(body: readonly string[]): Map<string, string> {
  const settings = new Map<string, string>();
  for (const line of body) {
    if (!/^(\/\*!\d+ )?SET .*\/\*!\*\/;$/.test(line)) continue;
    for (const [, name = "", value = ""] of line.matchAll(/(?:@@(?:session|SESSION)\.)?(\w+)=('[^']*'|[\w.]+)/g)) {
      settings.set(name.toLowerCase(), value);
    }
  }
  return settings;
}

/** Types of columns, names and keys come only with `binlog_row_metadata=FULL`, or without names. */
function tableLines(head: string, body: readonly string[]): string[] {
  const lines = [head.replace("Table_map: ", "table ").replace(" mapped to number", "")];
  const generated = body.find((line) => line.startsWith("# has_generated_invisible_primary_key"));
  if (generated !== undefined) lines[0] += ` ${generated.slice(2)}`;
  const begin = body.findIndex((line) => line.startsWith("# Columns("));
  if (begin >= 0) {
    for (const line of body.slice(begin)) {
      if (!/^#( Columns\(| {9})/.test(line)) break;
      lines.push(`  ${line.replace(/^#( Columns\(| +)/, "").replace(/[,)]$/, "")}`);
    }
    lines.push(...body.filter((line) => line.startsWith("# Primary Key")).map((line) => `  ${line.slice(2)}`));
  }
  return lines;
}

/** The lines of rows without what the format of the table says anyway (`meta=`), several lines of one value joined. */
function rowLines(body: readonly string[]): string[] {
  const lines: string[] = [];
  for (const line of body) {
    if (!line.startsWith("### ")) continue;
    if (/^### {6}/.test(line)) lines[lines.length - 1] += line.slice(9);
    else lines.push(line.slice(4));
  }
  return lines.map((line) => line.replace(/ meta=\d+ (nullable=\d is_null=\d \*\/)$/, " $1"));
}
