/** `gtid_executed` of the server that answers, without the line breaks that it puts in. */
export async function readExecuted(connection: {
  rows(sql: string): Promise<readonly Readonly<Record<string, string | null>>[]>;
}): Promise<string> {
  const [row] = await connection.rows("SELECT @@GLOBAL.gtid_executed executed");
  return (row?.["executed"] ?? "").replaceAll(/\s/g, "");
}
