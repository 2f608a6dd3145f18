import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import { interpret, interpretRaw } from "../../ir/interpret.ts";
import { parse } from "../../ir/text/parse.ts";
import { verify } from "../../ir/verify.ts";
import { fromNested, type Nested, toNested } from "../harness/nested-tensors.ts";

const folder = new URL("../../fixtures/ir/interpret/", import.meta.url);

/** Lines `// run: %y(inputs…) == real`, `// raw: … == integers`, `// error: … == code` of a fixture. */
function readFixture(file: string) {
  const text = readFileSync(new URL(file, folder), "utf8");
  const weights = [...text.matchAll(/^\/\/ weight: "(.+)" = (.+)$/gm)].map(
    ([, name, value]) => [name!, fromNested(JSON.parse(value!) as Nested)] as const,
  );
  const lines = [...text.matchAll(/^\/\/ (run|raw|error): %(\w+)\((.*)\) == (.+)$/gm)].map(
    ([line, kind, output, inputs, result]) => ({
      line: line!.slice(3),
      kind: kind as "run" | "raw" | "error",
      output: output!,
      inputs: (JSON.parse(`[${inputs}]`) as Nested[]).map(fromNested),
      result: result!,
    }),
  );
  return { module: parse(text, { file }), weights: new Map(weights), lines };
}

const codeOf = (run: () => unknown): string => {
  try {
    run();
    return "none";
  } catch (error) {
    return error instanceof DiagnosticError ? error.diagnostics[0]!.code : String(error);
  }
};

describe.each(readdirSync(folder))("%s", (file) => {
  const { module, weights, lines } = readFixture(file);

  test("is a valid module", () => expect(verify(module)).toEqual([]));

  test.each(lines)("$line", ({ kind, output, inputs, result }) => {
    const named = new Map(module.inputs.map((id, index) => [id, inputs[index]!]));
    if (kind === "error") return expect(codeOf(() => interpret(module, weights, named))).toBe(result);
    const run = kind === "run" ? interpret : interpretRaw;
    return expect(toNested(run(module, weights, named).get(output)!)).toEqual(JSON.parse(result));
  });
});

const third = parse(`module m stage import {
  input %x : client f32[1]
  param %w : public f32[1] = "w"
  %y = div %x, %w : client f32[1]
  output %y
}`);

test("a missing tensor and one of another shape are reported", () => {
  const one = fromNested([1]);
  const run = (weights: Map<string, typeof one>, inputs: Map<string, typeof one>) => () =>
    interpret(third, weights, inputs);
  expect(codeOf(run(new Map(), new Map([["x", one]])))).toBe("MRL0391");
  expect(codeOf(run(new Map([["w", one]]), new Map()))).toBe("MRL0391");
  expect(codeOf(run(new Map([["w", fromNested([1, 2])]]), new Map([["x", one]])))).toBe("MRL0392");
});

test("every value is observed, and float32 rounds each", () => {
  const seen = new Map<string, number>();
  const options = {
    float32: true,
    observe: (id: string, { data }: { data: Float64Array }) => void seen.set(id, data[0]!),
  };
  interpret(third, new Map([["w", fromNested([3])]]), new Map([["x", fromNested([0.1])]]), options);
  expect(Object.fromEntries(seen)).toEqual({ x: Math.fround(0.1), w: 3, y: Math.fround(Math.fround(0.1) / 3) });
});

test("a product that float64 would round is reported as leaving its ring", () => {
  const module = parse(`module m stage quantize {
    input %x : public fx50.0[1, 2]
    %t = transpose %x { perm = [1, 0] } : public fx50.0[2, 1]
    %y = matmul %x, %t : public fx64.0[1, 1]
    output %y
  }`);
  const run = (x: number) => interpretRaw(module, new Map(), new Map([["x", fromNested([[x, 1]])]]));
  expect(run(2 ** 26).get("y")!.data[0]).toBe(2 ** 52 + 1);
  expect(codeOf(() => run(2 ** 27 + 1))).toBe("MRL0390");
});

test("a value that counts from 0 may use the sign bit of a narrower ring, no other may", () => {
  const run = (lo: number) => {
    const text = `module m stage quantize {
      input %x : public fx8.0[2] in [${lo}, 3]
      %y = narrow %x { width = 2 } : public fx2.0[2]
      output %y
    }`;
    return interpretRaw(parse(text), new Map(), new Map([["x", fromNested([0, 3])]])).get("y")!.data;
  };
  expect([...run(0)]).toEqual([0, 3]);
  expect(codeOf(() => run(-1))).toBe("MRL0390");
});

test("a residue of a large factor is enough where the product is in its ring", () => {
  const module = parse(`module m stage select {
    input %x : public fx24.0[2] in [-4000000, 4000000]
    param %w : public fx12.12[2] in [-0.001, 0.001] = "w"
    %n = narrow %x { width = 24 } : public fx24.0[2] in [-4000000, 4000000]
    %r = narrow %x { width = 18 } : public fx18.0[2] in [-131071, 131071]
    %o = open %r : public fx18.0[2] in [-131071, 131071]
    %y = mul %o, %w : public fx24.12[2] in [-2000, 2000]
    output %n
    output %y
  }`);
  const weights = new Map([["w", fromNested([2 ** -12, -(2 ** -12)])]]);
  const y = interpret(module, weights, new Map([["x", fromNested([4_000_000, -200_000])]])).get("y")!;
  expect([...y.data]).toEqual([4_000_000 / 4096, 200_000 / 4096]);
  const beyond = () => interpret(module, weights, new Map([["x", fromNested([9_000_000, 0])]]));
  expect(codeOf(beyond)).toBe("MRL0390");
});
