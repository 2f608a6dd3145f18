// How a line becomes wrong: one rule for each kind of slip that a reviewer of this code would look for.
import ts from "typescript";

/** Characters `start` to `end` of a file become `text`. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

type Rule = (node: ts.Node) => readonly Edit[];

const replace = (node: ts.Node, text: string): Edit => ({ start: node.getStart(), end: node.getEnd(), text });
const only = (condition: boolean, edit: () => Edit): readonly Edit[] => (condition ? [edit()] : []);

const nextRole: Readonly<Record<string, string>> = { client: "server", server: "client", dealer: "server" };

const operators: ReadonlyMap<ts.SyntaxKind, string> = new Map([
  [ts.SyntaxKind.LessThanToken, "<="],
  [ts.SyntaxKind.LessThanEqualsToken, "<"],
  [ts.SyntaxKind.GreaterThanToken, ">="],
  [ts.SyntaxKind.GreaterThanEqualsToken, ">"],
  [ts.SyntaxKind.AmpersandAmpersandToken, "||"],
  [ts.SyntaxKind.BarBarToken, "&&"],
]);
/** What a comparison says where all is well. */
const assumed: ReadonlyMap<ts.SyntaxKind, string> = new Map([
  [ts.SyntaxKind.EqualsEqualsEqualsToken, "true"],
  [ts.SyntaxKind.ExclamationEqualsEqualsToken, "false"],
]);

/** The name of what a call calls: `add` of `add(x, y)`, `at` of `party.at("x")`. */
const calleeOf = ({ expression }: ts.CallExpression): string =>
  ts.isPropertyAccessExpression(expression) ? expression.name.text : expression.getText();

/** `add(x, mask)`: either summand alone. */
const sums = /^(add|sub|xor|addTo|subFrom)$/;
/** `party.at(label)`, `streams(label, use)`: what separates one draw of randomness from another. */
const separators = /^(at|streams|createStreams|createPrg|deriveSeed|nestedLabel|pads|masks|encode)$/;
/** Statements that do nothing but refuse. */
const checks = /^(check|assert|require|refuse|verify|throwIf|handshake|expect)/;

function leaves(statement: ts.Statement): boolean {
  const last = ts.isBlock(statement) ? statement.statements.at(-1) : statement;
  if (!last) return false;
  if (ts.isThrowStatement(last) || ts.isReturnStatement(last) || ts.isContinueStatement(last)) return true;
  return ts.isExpressionStatement(last) && /^(.*\.)?(fail|push|close|destroy|refuse)\(/.test(last.getText());
}

const isType = (node: ts.Node): boolean => ts.isLiteralTypeNode(node.parent) || ts.isImportDeclaration(node.parent);

/** The call of an expression statement, awaited or not. */
function calledAlone(node: ts.Node): ts.CallExpression | undefined {
  if (!ts.isExpressionStatement(node)) return undefined;
  const inner = ts.isAwaitExpression(node.expression) ? node.expression.expression : node.expression;
  return ts.isCallExpression(inner) ? inner : undefined;
}

export const rules: Readonly<Record<string, Rule>> = {
  "condition negated": (node) => {
    const condition = ts.isIfStatement(node)
      ? node.expression
      : ts.isConditionalExpression(node)
        ? node.condition
        : undefined;
    return condition ? [replace(condition, `!(${condition.getText()})`)] : [];
  },
  "guard dropped": (node) => {
    if (!ts.isIfStatement(node) || node.elseStatement || !leaves(node.thenStatement)) return [];
    return [replace(node, ";")];
  },
  "check dropped": (node) => {
    const call = calledAlone(node);
    return only(call !== undefined && checks.test(calleeOf(call)), () => replace(node, ";"));
  },
  "finding dropped": (node) => {
    const call = calledAlone(node);
    if (call && calleeOf(call) === "push") return [replace(node, ";")];
    if (!ts.isSpreadElement(node) || !ts.isArrayLiteralExpression(node.parent)) return [];
    const isFindings = /^(\(|check|compare|.*\.map\()/s.test(node.expression.getText());
    return only(isFindings, () => replace(node.expression, "[]"));
  },
  "findings emptied": (node) => {
    if (!ts.isCallExpression(node) || calleeOf(node) !== "filter" || node.arguments.length !== 1) return [];
    return [replace(node.arguments[0]!, "() => false")];
  },
  "all for any": (node) => {
    if (!ts.isPropertyAccessExpression(node) || !ts.isCallExpression(node.parent)) return [];
    const other = { some: "every", every: "some" }[node.name.text];
    return other === undefined ? [] : [replace(node.name, other)];
  },
  "comparison assumed": (node) => {
    if (!ts.isBinaryExpression(node)) return [];
    const said = assumed.get(node.operatorToken.kind);
    // The result decides something: it is no discriminant that types would need.
    return said === undefined ? [] : [replace(node, said)];
  },
  "operator replaced": (node) => {
    if (!ts.isBinaryExpression(node)) return [];
    const other = operators.get(node.operatorToken.kind);
    return other === undefined ? [] : [replace(node.operatorToken, other)];
  },
  "role swapped": (node) => {
    if (!ts.isStringLiteral(node) || isType(node)) return [];
    const other = nextRole[node.text];
    return other === undefined ? [] : [replace(node, JSON.stringify(other))];
  },
  "label replaced": (node) => {
    if (!ts.isCallExpression(node) || !separators.test(calleeOf(node))) return [];
    const labels = node.arguments.filter(
      (each) =>
        ts.isStringLiteral(each) || ts.isTemplateExpression(each) || /(label|name|use|key)$/i.test(each.getText()),
    );
    return labels.filter((each) => each.getText() !== '"one"').map((each) => replace(each, '"one"'));
  },
  "width off by one": (node) => {
    const isUsed = ts.isCallExpression(node.parent) && node.parent.arguments.some((each) => each === node);
    const isWidth = /^([\w.]+\.)?(width|bits|ring)$/.test(node.getText());
    return only(isUsed && isWidth, () => replace(node, `${node.getText()} - 1`));
  },
  "mask dropped": (node) => {
    if (!ts.isCallExpression(node) || !sums.test(calleeOf(node)) || node.arguments.length !== 2) return [];
    return node.arguments.map((each) => replace(node, each.getText()));
  },
};
