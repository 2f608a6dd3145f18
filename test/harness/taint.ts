/**
 * Static checks that no branch, loop bound or index depends on the contents of a tensor.
 *
 * Protocols cannot reach contents. They never name `.data`, and of `runtime/ring` they call only functions that return
 * tensors for tensors. So they can branch only on a role, a spec, a shape, or whether a value is defined.
 *
 * Kernels do read contents. Every value computed from an element of a Uint32Array or Float64Array is tainted (through
 * variables, returns, arguments of named functions and loops over elements, to a fixed point). A tainted condition or
 * index is reported. Arguments of a function that is itself an argument are not followed.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  strict: true,
  noUncheckedIndexedAccess: true,
  allowImportingTsExtensions: true,
  noEmit: true,
  skipLibCheck: true,
  types: ["node"],
};

/** A program of these files; `extra` are files that exist in memory only. */
export function programOf(files: readonly string[], extra: ReadonlyMap<string, string> = new Map()): ts.Program {
  const host = ts.createCompilerHost(options);
  const { readFile, fileExists } = host;
  host.readFile = (path) => extra.get(path) ?? readFile(path);
  host.fileExists = (path) => extra.has(path) || fileExists(path);
  return ts.createProgram([...files, ...extra.keys()], options, host);
}

function visit(node: ts.Node, on: (node: ts.Node) => void): void {
  on(node);
  ts.forEachChild(node, (child) => visit(child, on));
}

const lineOf = (node: ts.Node): string => {
  const file = node.getSourceFile();
  return `${file.fileName.replace(/^.*?(?=runtime\/|test\/)/, "")}:${file.getLineAndCharacterOfPosition(node.getStart()).line + 1}`;
};

/** Whether values of the type hold tensors and nothing else that could reveal their contents. */
function holdsTensorsOnly(checker: ts.TypeChecker, type: ts.Type, depth = 0): boolean {
  if (type.flags & (ts.TypeFlags.Undefined | ts.TypeFlags.Void | ts.TypeFlags.Never)) return true;
  if (type.isUnion()) return type.types.every((each) => holdsTensorsOnly(checker, each, depth));
  if (isTensor(type)) return true;
  if (depth > 3) return false;
  if (checker.isArrayType(type) || checker.isTupleType(type)) {
    return checker
      .getTypeArguments(type as ts.TypeReference)
      .every((each) => holdsTensorsOnly(checker, each, depth + 1));
  }
  const properties = type.getProperties();
  if (!(type.flags & (ts.TypeFlags.Object | ts.TypeFlags.Intersection)) || properties.length === 0) return false;
  return properties.every((p) => holdsTensorsOnly(checker, checker.getTypeOfSymbol(p), depth + 1));
}
const isTensor = (type: ts.Type): boolean =>
  ["RingTensor", "IntTensor"].includes((type.aliasSymbol ?? type.getSymbol())?.name ?? "");
/** Whether the type contains a tensor. */
function mentionsTensor(checker: ts.TypeChecker, type: ts.Type, depth = 0): boolean {
  if (isTensor(type)) return true;
  if (depth > 3) return false;
  if (type.isUnionOrIntersection()) return type.types.some((each) => mentionsTensor(checker, each, depth));
  if (checker.isArrayType(type) || checker.isTupleType(type)) {
    return checker.getTypeArguments(type as ts.TypeReference).some((each) => mentionsTensor(checker, each, depth + 1));
  }
  const constraint = type.isTypeParameter() ? type.getConstraint() : undefined;
  return constraint !== undefined && mentionsTensor(checker, constraint, depth + 1);
}

/** What a node does with contents, or undefined: one rule per way. */
const reads: readonly ((node: ts.Node, checker: ts.TypeChecker) => string | undefined | false)[] = [
  (node) => ts.isPropertyAccessExpression(node) && node.name.text === "data" && "reads .data",
  (node) => ts.isBindingElement(node) && (node.propertyName ?? node.name).getText() === "data" && "takes data out",
  (node) => ts.isAsExpression(node) && /^(any|unknown|Record)/.test(node.type.getText()) && "casts a type away",
  (node) => ts.isForInStatement(node) && "goes through names",
  (node, checker) => {
    if (!ts.isElementAccessExpression(node)) return false;
    const target = checker.getTypeAtLocation(node.expression);
    return mentionsTensor(checker, target) && !checker.isArrayLikeType(target) && "reads a tensor by name";
  },
  (node, checker) => {
    if (!ts.isCallExpression(node) || !takesTensor(node, checker)) return false;
    const called = node.expression.getText();
    if (/^(Object\.(values|entries)|JSON|Reflect|structuredClone)\b/.test(called)) return "takes a tensor apart";
    const signature = checker.getResolvedSignature(node);
    if (!/\/runtime\/ring\//.test(signature?.declaration?.getSourceFile().fileName ?? "")) return false;
    return (
      !holdsTensorsOnly(checker, checker.getReturnTypeOfSignature(signature!)) && `${called} gives more than tensors`
    );
  },
];
const takesTensor = (node: ts.CallExpression, checker: ts.TypeChecker): boolean =>
  node.arguments.some((each) => mentionsTensor(checker, checker.getTypeAtLocation(each)));

/** Locations where protocols read contents. */
export function contentReads(program: ts.Program, files: readonly string[]): string[] {
  const checker = program.getTypeChecker();
  const found: string[] = [];
  for (const file of files) {
    visit(program.getSourceFile(file)!, (node) => {
      for (const what of reads.map((check) => check(node, checker))) if (what) found.push(`${lineOf(node)} ${what}`);
    });
  }
  return found;
}

/** Tainted conditions and indices of kernels, as `file function`. */
export function taintedControl(program: ts.Program, files: readonly string[]): Map<string, string[]> {
  const checker = program.getTypeChecker();
  const sources = files.map((file) => program.getSourceFile(file)!);
  const tainted = new Set<ts.Symbol>();
  const symbolOf = (node: ts.Node): ts.Symbol | undefined => {
    const symbol = checker.getSymbolAtLocation(node);
    return symbol && symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  };
  const isContents = (node: ts.Expression): boolean =>
    /^(Uint(8|16|32)|Float64)Array\b/.test(
      checker.typeToString(checker.getNonNullableType(checker.getTypeAtLocation(node))),
    );
  const isTainted = (node: ts.Node): boolean => {
    if (ts.isElementAccessExpression(node)) return isContents(node.expression) || isTainted(node.argumentExpression);
    if (ts.isPropertyAccessExpression(node)) return false;
    if (ts.isIdentifier(node)) {
      const symbol = symbolOf(node);
      return symbol !== undefined && tainted.has(symbol);
    }
    if (ts.isFunctionLike(node)) return false;
    return ts.forEachChild(node, (child) => isTainted(child) || undefined) ?? false;
  };
  let grown = true;
  const taint = (node: ts.Node): void => {
    const symbol = symbolOf(node);
    if (!symbol || tainted.has(symbol)) return;
    tainted.add(symbol);
    grown = true;
  };
  const taintNames = (name: ts.BindingName): void => {
    if (ts.isIdentifier(name)) taint(name);
    else for (const each of name.elements) if (ts.isBindingElement(each)) taintNames(each.name);
  };
  const flowOfCall = (node: ts.CallExpression): void => {
    // data.map((x) => …), findIndex and the like: the first parameter is the element.
    const called = node.expression;
    if (ts.isPropertyAccessExpression(called) && isContents(called.expression)) {
      for (const each of node.arguments) {
        if (ts.isArrowFunction(each) && each.parameters[0]) taintNames(each.parameters[0].name);
      }
    }
    const parameters = checker.getResolvedSignature(node)?.parameters ?? [];
    for (const [k, each] of node.arguments.entries()) {
      const parameter = parameters[k]?.valueDeclaration;
      if (parameter && ts.isParameter(parameter) && isTainted(each)) taintNames(parameter.name);
    }
  };
  const flow = (node: ts.Node): void => {
    if (ts.isVariableDeclaration(node) && node.initializer && isTainted(node.initializer)) taintNames(node.name);
    if (
      ts.isBinaryExpression(node) &&
      assigns(node.operatorToken.kind) &&
      ts.isIdentifier(node.left) &&
      isTainted(node.right)
    ) {
      taint(node.left);
    }
    if (ts.isForOfStatement(node) && ts.isVariableDeclarationList(node.initializer) && isContents(node.expression)) {
      for (const each of node.initializer.declarations) taintNames(each.name);
    }
    if (ts.isReturnStatement(node) && node.expression && isTainted(node.expression)) {
      const owner = ts.findAncestor(node, ts.isFunctionLike);
      if (owner?.name) taint(owner.name);
    }
    if (
      ts.isArrowFunction(node) &&
      !ts.isBlock(node.body) &&
      isTainted(node.body) &&
      ts.isVariableDeclaration(node.parent)
    ) {
      taintNames(node.parent.name);
    }
    if (ts.isCallExpression(node)) flowOfCall(node);
  };
  while (grown) {
    grown = false;
    for (const source of sources) visit(source, flow);
  }
  const found = new Map<string, string[]>();
  const report = (node: ts.Node, what: string): void => {
    const key = `${lineOf(node).split(":")[0]!.replace("runtime/ring/", "")} ${ownerOf(node)}`;
    found.set(key, [...(found.get(key) ?? []), `${lineOf(node)} ${what}: ${node.getText().slice(0, 80)}`]);
  };
  for (const source of sources) {
    visit(source, (node) => {
      for (const condition of conditionsOf(node)) if (isTainted(condition)) report(condition, "condition");
      if (ts.isElementAccessExpression(node) && isTainted(node.argumentExpression)) report(node, "index");
    });
  }
  return found;
}

const assigns = (kind: ts.SyntaxKind): boolean =>
  kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment;

function conditionsOf(node: ts.Node): readonly ts.Expression[] {
  if (ts.isIfStatement(node) || ts.isWhileStatement(node) || ts.isDoStatement(node) || ts.isSwitchStatement(node)) {
    return [node.expression];
  }
  if (ts.isForStatement(node) && node.condition) return [node.condition];
  if (ts.isConditionalExpression(node)) return [node.condition];
  const lazy = [ts.SyntaxKind.AmpersandAmpersandToken, ts.SyntaxKind.BarBarToken];
  if (ts.isBinaryExpression(node) && lazy.includes(node.operatorToken.kind)) return [node.left];
  return [];
}

/** Name of the outermost function or constant around the node. */
function ownerOf(node: ts.Node): string {
  let name = "top level";
  for (let at: ts.Node | undefined = node; at; at = at.parent) {
    if ((ts.isFunctionDeclaration(at) || ts.isVariableDeclaration(at)) && at.name && ts.isIdentifier(at.name))
      name = at.name.text;
  }
  return name;
}

export const pathsIn = (root: string, folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".generated.ts"))
    .map((name) => join(root, folder, name));
