import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { type Edit, rules } from "./rules.ts";

export interface Mutant extends Edit {
  /** Path from the root of the repository. */
  readonly file: string;
  readonly line: number;
  readonly rule: string;
  /** The edited part before the edit, in one line. */
  readonly before: string;
}

/** What a failure says and how long it takes to say it are no matter of security. */
const isSpeech = (node: ts.Node): boolean =>
  ts.isThrowStatement(node) ||
  ts.isTypeNode(node) ||
  ts.isInterfaceDeclaration(node) ||
  ts.isTypeAliasDeclaration(node) ||
  ts.isImportDeclaration(node) ||
  (ts.isCallExpression(node) &&
    /^(sessionError|fail|fileDiagnostic|fileFinding|log|options\.log)$/.test(node.expression.getText())) ||
  (ts.isNewExpression(node) && /Error$|Fault$/.test(node.expression.getText()));

const short = (text: string): string => {
  const line = text.replace(/\s+/g, " ");
  return line.length > 70 ? `${line.slice(0, 69)}…` : line;
};

/** Every mutant of a file, by the rules. */
export function mutantsOf(root: string, file: string): readonly Mutant[] {
  const source = ts.createSourceFile(file, readFileSync(join(root, file), "utf8"), ts.ScriptTarget.ES2023, true);
  const found: Mutant[] = [];
  const visit = (node: ts.Node): void => {
    // A `throw` itself is dropped with its condition.
    if (isSpeech(node)) return;
    for (const [rule, of] of Object.entries(rules)) {
      for (const edit of of(node)) {
        const { line } = source.getLineAndCharacterOfPosition(edit.start);
        found.push({ ...edit, file, line: line + 1, rule, before: short(source.text.slice(edit.start, edit.end)) });
      }
    }
    ts.forEachChild(node, visit);
  };
  ts.forEachChild(source, visit);
  return found;
}

export const mutated = (source: string, { start, end, text }: Edit): string =>
  source.slice(0, start) + text + source.slice(end);

/** One line of a report. */
export const describe = ({ file, line, rule, before, text }: Mutant): string =>
  `${file}:${line} ${rule}: ${before} → ${short(text)}`;

/** The same order for the same seed: xorshift, Fisher and Yates. */
export function shuffled<T>(items: readonly T[], seed: number): readonly T[] {
  let state = (seed * 0x9e3779b1) | 1;
  const below = (bound: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % bound;
  };
  const all = [...items];
  for (let k = all.length - 1; k > 0; k--) {
    const other = below(k + 1);
    [all[k], all[other]] = [all[other]!, all[k]!];
  }
  return all;
}
