import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import { infer } from "../../ir/infer.ts";
import type { Attrs, Module } from "../../ir/module.ts";
import { parse } from "../../ir/text/parse.ts";
import { print } from "../../ir/text/print.ts";
import { fx } from "../../ir/type.ts";
import { verify } from "../../ir/verify.ts";
import { arbitraryModule } from "../harness/arbitrary-module.ts";

describe("random modules", () => {
  test("are well typed, and infer returns their types", () => {
    fc.assert(
      fc.property(arbitraryModule(), (module) => {
        expect(verify(module)).toEqual([]);
        expect(infer(module)).toEqual(module);
      }),
    );
  });

  test("print and parse back to the same module", () => {
    fc.assert(
      fc.property(arbitraryModule(), (module) => {
        expect(parse(print(module))).toEqual(module);
      }),
    );
  });
});

const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_.]{0,6}$/);
const attr = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.boolean(),
  fc.string({ unit: "binary" }),
  fc.array(fc.double()),
  fc.array(fc.string()),
);
const bounds = fc.tuple(fc.double({ noNaN: true }), fc.double({ noNaN: true })).map(([a, b]) => ({
  lo: Math.min(a, b),
  hi: Math.max(a, b),
}));

/** Everything that the text form can express, sensible or not. */
const anyModule: fc.Arbitrary<Module> = fc
  .record({
    moduleName: fc.oneof(name, fc.string(), fc.constant("step")),
    op: fc.oneof(fc.constantFrom("open", "in", "input", "stepwise", "is-nan", "clip"), name),
    attrs: fc.dictionary(fc.oneof(name, fc.constantFrom("in", "at", "lo", "axes")), attr, { noNullPrototype: true }),
    weight: fc.string(),
    origin: fc.string(),
    protocol: fc.option(fc.constantFrom("local.truncate", "via", "known-weight.matmul"), { nil: undefined }),
    range: fc.option(bounds, { nil: undefined }),
    width: fc.nat({ max: 64 }),
    scale: fc.integer({ min: -20, max: 60 }),
    shape: fc.array(fc.nat({ max: 9 }), { maxLength: 4 }),
    sharing: fc.constantFrom(undefined, "additive" as const, "masked" as const),
  })
  .map(({ moduleName, op, attrs, weight, origin, protocol, range, width, scale, shape, sharing }) => {
    const value = {
      type: { label: "shared" as const, element: fx(width, scale), shape, ...(sharing && { sharing }) },
      ...(range && { range }),
    };
    const made = (result: string, operands: string[]) => ({
      ...{ name: op, operands, result, attrs: attrs as Attrs, origin },
      ...(protocol !== undefined && { protocol }),
    });
    return {
      name: moduleName,
      stage: "schedule",
      inputs: ["x"],
      params: { w: weight },
      steps: [{ ops: [made("a", ["x", "w"]), made("b", [])] }, { ops: [made("c", ["a"])] }],
      outputs: ["c", "x"],
      values: { x: value, w: value, a: value, b: value, c: value },
    };
  });

test("every module that the text form can express prints and parses back", () => {
  fc.assert(fc.property(anyModule, (module) => void expect(parse(print(module))).toEqual(module)));
});

test("a real attribute prints with a decimal point", () => {
  const text = print(
    parse(
      "module m stage import { input %x : client f32[] %y = clip %x { lo = -1, hi = 1e-5 } : client f32[] output %y }",
    ),
  );
  expect(text).toContain("{ lo = -1.0, hi = 0.00001 }");
  expect(text).not.toContain(" at ");
});

test("return is short for several outputs", () => {
  expect(
    parse("module m stage import { input %x : client f32[] input %y : client f32[] return %y, %x }").outputs,
  ).toEqual(["y", "x"]);
});

test("errors say what was expected and where", () => {
  const errorOf = (text: string, limit?: number): string => {
    try {
      parse(text, { file: "a.mir", ...(limit && { limit }) });
      return "nothing";
    } catch (error) {
      if (!(error instanceof DiagnosticError)) throw error;
      const { code, message, at } = error.diagnostics[0]!;
      return `${code} ${at} ${message}`;
    }
  };
  expect(errorOf("module m stage import {\n  input x\n}")).toBe(
    'MRL0203 a.mir:2:9 expected a value (%name), found "x"',
  );
  expect(errorOf("module m stage import {")).toMatch(/^MRL0203 a.mir:end expected .*, found the end of the text$/);
  expect(errorOf("module m stage import { } }")).toMatch(/^MRL0203 a.mir:1:27 expected the end of the text, found "}"/);
  expect(errorOf("module m stage import { input %x : client f32[] = }")).toMatch(
    /^MRL0203 a.mir:1:49 expected .+, found "="/,
  );
  expect(errorOf("module m stage import {}", 10)).toMatch(/^MRL0201 a.mir expected a text of at most 10 characters/);
  expect(errorOf('module m stage import { param %x : client f32[] = "\\q" }')).toMatch(
    /^MRL0205 a.mir:1:51 expected a string as in JSON/,
  );
  expect(errorOf('module m stage import { param %x : client f32[] = "a.\\ud800" }')).toMatch(
    /^MRL0205 a.mir:1:51 expected a string as in JSON/,
  );
  expect(errorOf("module m\n stage\u2028import {}")).toMatch(
    /^MRL0202 a.mir:2:7 expected printable ASCII, found U\+2028/,
  );
});
