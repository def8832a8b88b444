/** A node of the parser's tree: what of it is looked at. */
interface Node {
  readonly children?: readonly Node[] | null;
  readonly start?: { readonly start: number } | null;
  readonly stop?: { readonly stop: number } | null;
  getText(): string;
}

/** `how column start-end`; places count UTF-16 units. */
export type LiteralText = string;

/**
 * What a full parser of MySQL's grammar has found in `text`, by the tree that it made: the literals that stand alone
 * against a column that stands alone, in `=`, in `IN (…)` and in rows of `INSERT (…) VALUES`.
 */
export function literalsOfTree(tree: object, text: string): readonly LiteralText[] {
  const found: LiteralText[] = [];
  walk(tree as Node, found);
  return found.map((one) => one.replace(/\d+-\d+$/, (place) => inUtf16(text, place)));
}

function walk(node: Node, found: LiteralText[]): void {
  const parts = node.children ?? [];
  const kind = kindOf(node);
  if (kind === "BinaryComparisonPredicate" && parts[1]?.getText() === "=") equal(parts[0], parts[2], found);
  if (kind === "InPredicate" && parts[1]?.getText().toUpperCase() === "IN") list(parts[0], parts[3], found);
  if (kind === "InsertStatement" || kind === "ReplaceStatement") inserted(parts, found);
  for (const part of parts) walk(part, found);
}

function equal(left: Node | undefined, right: Node | undefined, found: LiteralText[]): void {
  for (const [one, other] of [
    [left, right],
    [right, left],
  ]) {
    const column = columnOf(one);
    if (column !== undefined && isLiteral(other)) found.push(`compared ${column} ${placeOf(other)}`);
  }
}

function list(left: Node | undefined, right: Node | undefined, found: LiteralText[]): void {
  const column = columnOf(left);
  const items = (right?.children ?? []).filter((item) => item.getText() !== ",");
  if (column === undefined || right === undefined || kindOf(right) !== "Expressions" || !items.every(isLiteral)) return;
  for (const item of items) found.push(`compared ${column} ${placeOf(item)}`);
}

function inserted(parts: readonly Node[], found: LiteralText[]): void {
  const within = (kind: string): Node | undefined => parts.find((part) => kindOf(part) === kind);
  const names = within("ColumnNames") ?? childrenOf(within("FullColumnNames"), "ColumnNames")[0];
  const replaced = childrenOf(within("ReplaceStatementValuesOrSelectOrTable"), "ValuesOrValueList")[0];
  const values = within("ValuesOrValueList") ?? replaced;
  const columns = childrenOf(names, "ColumnName");
  for (const row of childrenOf(values, "ExpressionsWithDefaults")) {
    for (const [index, value] of childrenOf(row, "ExpressionOrDefault").entries()) {
      const column = columns[index]?.getText();
      if (column !== undefined && isLiteral(value)) found.push(`inserted ${unquoted(column)} ${placeOf(value)}`);
    }
  }
}

function childrenOf(node: Node | undefined, kind: string): readonly Node[] {
  return (node?.children ?? []).filter((part) => kindOf(part) === kind);
}

function kindOf(node: Node): string {
  return node.constructor.name.replace(/Context$/, "");
}

/** The node itself, or the only one in it that says something. */
function innermost(node: Node | undefined, kind: string): Node | undefined {
  let at = node;
  while (at !== undefined && kindOf(at) !== kind) at = at.children?.length === 1 ? at.children[0] : undefined;
  return at;
}

function columnOf(node: Node | undefined): string | undefined {
  const constant = innermost(node, "ConstantExpressionAtom")?.getText();
  // What stands in backticks is a constant to the parser, though it is a name.
  const name = constant?.startsWith("`") ? constant : innermost(node, "ColumnNameExpressionAtom")?.getText();
  // A variable, and a word that stands for a value, are taken for names by the parser.
  if (name === undefined || name.startsWith("@") || /^default$/i.test(name)) return undefined;
  return unquoted(/(?:`(?:[^`]|``)*`|[^.`]+)$/.exec(name)?.[0] ?? name);
}

function isLiteral(node: Node | undefined): node is Node {
  const constant = innermost(node, "ConstantExpressionAtom");
  return constant !== undefined && !constant.getText().startsWith("`");
}

function placeOf(node: Node): string {
  return `${node.start?.start}-${(node.stop?.stop ?? 0) + 1}`;
}

function unquoted(name: string): string {
  return name.startsWith("`") ? name.slice(1, -1).replaceAll("``", "`") : name;
}

/** The parser counts code points. */
function inUtf16(text: string, place: string): string {
  const points = [...text];
  return place
    .split("-")
    .map((at) => points.slice(0, Number(at)).join("").length)
    .join("-");
}
