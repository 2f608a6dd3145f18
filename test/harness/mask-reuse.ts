/** Static check that a mask hides one value only: a body adds the share of a correlation to one value. */
import ts from "typescript";

const maskMethods = ["mask", "clientMask", "serverMask", "sharedRandom", "clientRandom", "sharedRandomWithDealer"];

function visit(node: ts.Node, on: (node: ts.Node) => void): void {
  on(node);
  ts.forEachChild(node, (child) => visit(child, on));
}

const isDraw = (node: ts.Node): boolean =>
  ts.isCallExpression(node) &&
  ts.isPropertyAccessExpression(node.expression) &&
  maskMethods.includes(node.expression.name.text);
const isLoop = (node: ts.Node): boolean => ts.isFunctionLike(node) || ts.isIterationStatement(node, false);

/** The innermost loop or function around a node: a mask used outside the one that draws it may be used many times. */
const around = (node: ts.Node): ts.Node | undefined => ts.findAncestor(node.parent, isLoop);

/**
 * Locations where a mask is added to more than one value: `add` or `sub` takes the drawn tensor, or the `share` of a
 * drawn mask, a second time, or inside a loop or callback while it was drawn outside; or the code asserts that the mask
 * of a masked value has a share (`mask.share!`), which its type does not promise.
 */
export function reuses(program: ts.Program, files: readonly string[]): string[] {
  const checker = program.getTypeChecker();
  const found: string[] = [];
  for (const file of files) {
    const source = program.getSourceFile(file)!;
    const note = (node: ts.Node, what: string): void => {
      const line = source.getLineAndCharacterOfPosition(node.getStart()).line + 1;
      found.push(`${source.fileName.replace(/^.*?(?=runtime\/)/, "")}:${line} ${what}`);
    };
    const uses = new Map<ts.Symbol, { readonly drawn: ts.Node; count: number }>();
    visit(source, (node) => {
      if (!ts.isVariableDeclaration(node) || !node.initializer || !isDraw(node.initializer)) return;
      const symbol = ts.isIdentifier(node.name) ? checker.getSymbolAtLocation(node.name) : undefined;
      if (symbol) uses.set(symbol, { drawn: node, count: 0 });
    });
    visit(source, (node) => {
      if (ts.isNonNullExpression(node) && /\bmask\.share$/.test(node.expression.getText())) {
        note(node, "takes the share of a mask that is kept");
      }
      if (!ts.isCallExpression(node) || !["add", "sub"].includes(node.expression.getText())) return;
      for (const each of node.arguments) {
        const named = ts.isPropertyAccessExpression(each) && each.name.text === "share" ? each.expression : each;
        const symbol = ts.isIdentifier(named) ? checker.getSymbolAtLocation(named) : undefined;
        const use = symbol && uses.get(symbol);
        if (!use) continue;
        use.count += 1;
        if (use.count > 1) note(each, `adds ${named.getText()} a second time`);
        if (around(node) !== around(use.drawn)) note(each, `adds ${named.getText()} in a loop or callback`);
      }
    });
  }
  return found;
}
