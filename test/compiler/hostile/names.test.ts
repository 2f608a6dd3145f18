import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import ts from "typescript";
import { afterAll, describe, expect, it } from "vitest";
import { compile } from "../../harness/hostile/cases.ts";
import { model } from "../../harness/hostile/models.ts";
import { hostileNames } from "../../harness/hostile/names.ts";
import { floatInfo, floatTensor, node } from "../onnx/format/build-model.ts";

const temporary = mkdtempSync(join(tmpdir(), "marillc-names-"));
afterAll(() => rmSync(temporary, { recursive: true }));

const parties = ["client", "server", "dealer"] as const;
type Programs = Readonly<Record<string, string>>;

/** The programs of a model in which every name is one of these. */
function programsOf([graph, input, weight, product, inner]: readonly string[]): Programs {
  const folder = mkdtempSync(join(temporary, "model-"));
  const file = join(folder, "model.onnx");
  const bytes = model({
    name: graph!,
    input: [floatInfo(`${input}1`, 1, 4)],
    initializer: [
      floatTensor(
        `${weight}2`,
        [4, 4],
        Array.from({ length: 16 }, (_, at) => 0.25 + at / 64),
      ),
    ],
    node: [
      node("MatMul", [`${input}1`, `${weight}2`], [`${inner}3`], product!),
      node("Relu", [`${inner}3`], ["y"], `/${inner}/Relu`),
    ],
  });
  writeFileSync(file, bytes);
  const { files } = compile(file, folder);
  const text = (path: string): string => new TextDecoder().decode(files.get(path));
  return Object.fromEntries(
    [...files.keys()].filter((path) => /program\.(ts|js)$/.test(path)).map((path) => [path, text(path)]),
  );
}

/**
 * Token kinds and all words of the code, without what names may be: texts of literals and of identifiers that are not
 * those of the language and runtime. Comments are not tokens.
 */
function skeletonOf(text: string): string {
  const source = ts.createSourceFile("program.ts", text, ts.ScriptTarget.ES2022, true);
  const faults = (source as unknown as { readonly parseDiagnostics: readonly unknown[] }).parseDiagnostics;
  expect(faults.length).toBe(0);
  const parts: string[] = [];
  const visit = (each: ts.Node): void => {
    // Where a key is not a plain word, `a.key` is written `a["key"]`.
    const isKey = ts.isElementAccessExpression(each) && ts.isStringLiteral(each.argumentExpression);
    parts.push(ts.SyntaxKind[isKey ? ts.SyntaxKind.PropertyAccessExpression : each.kind]!);
    if (ts.isCallExpression(each)) parts.push(`calls ${each.expression.getText()}`);
    each.forEachChild(visit);
  };
  visit(source);
  // A key that is not a plain word is written as a string or in brackets.
  return parts.filter((part) => !/^(StringLiteral|Identifier|ComputedPropertyName)$/.test(part)).join(" ");
}

/** Characters that would make a text look different, or end a line. */
const unprintable = /[^\x20-\x7e\n]/;

describe("names of a model never become code", () => {
  const plain = programsOf(["graph", "input", "weight", "product", "inner"]);

  it("gives a model with plain names three programs", () => {
    expect(Object.keys(plain).sort()).toEqual(
      parties.flatMap((party) => [`${party}/program.js`, `${party}/program.ts`]).sort(),
    );
  });

  const check = (names: readonly string[]): void => {
    for (const [path, text] of Object.entries(programsOf(names))) {
      // The compiler's own dots and arrows are not names.
      expect(text.replace(/[…→]/g, "").match(unprintable)).toBeNull();
      expect(skeletonOf(text) === skeletonOf(plain[path]!)).toBe(true);
    }
  };

  it.each(hostileNames.map((name) => [name.slice(0, 40), name]))("%j everywhere", (_, name) => {
    check([name, name, name, name, name]);
  });

  it("any names at all", () => {
    const name = fc.oneof(
      fc.string({ unit: "binary", maxLength: 40 }),
      fc.string({ unit: fc.constantFrom(..."\n\r\u2028\u2029'\"`\\/*;(){}[]$<>=.:@%#!-_ ax0"), maxLength: 40 }),
      fc.constantFrom(...hostileNames.filter(({ length }) => length < 100)),
    );
    const names = fc.tuple(name, name, name, name, name).filter(([, input, weight, , inner]) => {
      // One of each name: duplicates are refused separately.
      return new Set([`${input}1`, `${weight}2`, `${inner}3`, "y"]).size === 4;
    });
    fc.assert(fc.property(names, check), { numRuns: 40, seed: 20261121 });
  });
});
