import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { localShapes } from "../../../compiler/audit/local-shapes.ts";
import { allowedFiles } from "../../../compiler/audit/party-files.ts";
import { protocolShapes } from "../../../compiler/audit/protocol-shapes.ts";
import { exportNameOf, protocolRoundings, protocolSignatures } from "../../../compiler/audit/protocol-signatures.ts";
import { tokenizerFileNames } from "../../../compiler/inputs/tokenizer.ts";
import { opDef } from "../../../ir/registry.ts";
import { local } from "../../../runtime/program/local-ops.ts";
import * as registry from "../../../runtime/protocols/index.ts";
import type { Protocol } from "../../../runtime/protocols/kit/define-protocol.ts";

describe("the checker", () => {
  const checkerFolder = join(import.meta.dirname, "../../../compiler/audit");
  const allowedPackages = ["node:crypto", "onnx-proto"];
  const importsOf = (source: string): string[] =>
    [...source.matchAll(/^(?:import|export|\}) [^;]*?from "([^"]+)";$/gm)].map(([, specifier]) => specifier!);

  test.each(
    readdirSync(checkerFolder),
  )("imports in %s nothing of the compiler, the passes, the targets or the runtime", (file) => {
    const source = readFileSync(join(checkerFolder, file), "utf8");

    const foreign = importsOf(source).filter((from) => !from.startsWith("./") && !allowedPackages.includes(from));

    expect(foreign).toEqual([]);
  });
});

describe("the table of trusted protocols", () => {
  const protocols: Readonly<Record<string, Protocol>> = registry;
  const exported = Object.entries(protocols);

  /** The first `count` forms: the last form of the list stands for all operands that follow. */
  const formsOfOperands = (forms: readonly string[], count: number): string[] =>
    Array.from({ length: count }, (_, place) => forms[Math.min(place, forms.length - 1)]!);

  const resultOf = ({ family, implements: operator, yields }: Protocol): string => {
    if (operator === "reveal") return "opened";
    if (operator === "hand-over") return "kept";
    if (yields === "masked") return "masked";
    return family === "replicated" ? "replicated" : "share";
  };

  test("has a row for every protocol, and no other", () => {
    const exportedNames = exported.map(([name]) => name).sort();

    const rows = [...protocolSignatures.keys()].sort();

    expect(rows).toEqual(exportedNames);
  });

  test.each(exported)("names %s as the export is named", (name, protocol) => {
    expect(exportNameOf(protocol.name)).toBe(name);
  });

  test.each(exported)("has the settings of %s", (name, protocol) => {
    expect(protocolSignatures.get(name)!.settings).toEqual(protocol.settings);
  });

  test.each(exported)("has the forms that the operands of %s take", (name, protocol) => {
    const { operands } = protocolSignatures.get(name)!;
    const count = Math.max(operands.length, protocol.forms.length);

    // For an operand that is `public` to the runtime, the row says whether only the client has it.
    const runtimeForms = operands.map((form) => (form === "client" ? "public" : form));

    expect(formsOfOperands(runtimeForms, count)).toEqual(formsOfOperands(protocol.forms, count));
  });

  test.each(exported)("has the form that %s gives", (name, protocol) => {
    expect(protocolSignatures.get(name)!.result).toBe(resultOf(protocol));
  });

  test.each(exported)("names the operator that %s computes, which has a rule of shapes", (name, protocol) => {
    const { operator } = protocolSignatures.get(name)!;

    expect(operator).toBe(protocol.implements);
    expect(protocolShapes.has(operator)).toBe(true);
  });

  test("says of every protocol that is not exact that it rounds by shares, and of no other", () => {
    const inexact = exported.filter(([, { accuracy }]) => accuracy !== "exact").map(([name]) => name);

    expect([...protocolRoundings.keys()].sort()).toEqual(inexact.sort());
  });

  test("gives the client's integers only to sharing, and to lookups that hide the indices", () => {
    const rows = [...protocolSignatures];

    const takingRows = rows.filter(([, { operands }]) => operands.includes("client"));
    const taking = takingRows.map(([name]) => name).sort();
    const implemented = taking.map((name) => protocols[name]!.implements);

    expect(taking).toEqual(["privateLookup", "replicatedShare", "seededShare"]);
    expect(implemented).toEqual(["gather", "share", "share"]);
  });

  test("opens values only with a reveal", () => {
    const opening = exported.filter(([name]) => protocolSignatures.get(name)!.result === "opened");

    const implemented = opening.map(([, protocol]) => protocol.implements);

    expect(implemented).toEqual(["reveal", "reveal"]);
  });
});

describe("the shape rules of local operators", () => {
  type Shape = readonly number[];

  /** An operator with the shapes of its operands, by name and in order. */
  interface Use {
    readonly operator: string;
    readonly what: string;
    readonly operands: Readonly<Record<string, Shape>>;
    readonly attrs?: Record<string, unknown>;
  }

  /** A use that has no shape, and the shape that a file could state for it. */
  interface Misfit extends Use {
    readonly stated: Shape;
  }

  const shapeByRule = ({ operator, operands, attrs = {} }: Use, stated: Shape) =>
    localShapes.get(operator)!(Object.values(operands), attrs as never, stated);
  const shapeByIr = ({ operator, operands, attrs = {} }: Use): Shape =>
    opDef(operator).shape(Object.values(operands), attrs as never);

  const windows = { strides: [2, 1], pads: [1, 0, 1, 2], dilations: [1, 2] };
  const uses: readonly Use[] = [
    { operator: "add", what: "broadcast tensors", operands: { left: [2, 1, 3], right: [4, 1] } },
    { operator: "sub", what: "vectors", operands: { left: [5], right: [5] } },
    { operator: "mul", what: "a matrix and a scalar", operands: { left: [2, 3], right: [] } },
    { operator: "neg", what: "a matrix", operands: { x: [2, 3] } },
    { operator: "rope", what: "four axes", operands: { x: [1, 2, 4, 6], cos: [4, 6], sin: [1, 1, 4, 6] } },
    { operator: "matmul", what: "broadcast batches", operands: { left: [2, 1, 3, 4], right: [5, 4, 7] } },
    { operator: "matmul", what: "two matrices", operands: { left: [3, 4], right: [4, 2] } },
    {
      operator: "conv",
      what: "two groups",
      operands: { x: [1, 4, 9, 8], kernels: [6, 2, 3, 2] },
      attrs: { ...windows, group: 2 },
    },
    {
      operator: "sum-pool",
      what: "padded windows",
      operands: { x: [1, 4, 9, 8] },
      attrs: { ...windows, kernel: [3, 2] },
    },
    { operator: "transpose", what: "three axes", operands: { x: [2, 3, 4] }, attrs: { perm: [2, 0, 1] } },
    { operator: "reshape", what: "a matrix", operands: { x: [2, 6] }, attrs: { shape: [3, 4] } },
    { operator: "expand", what: "three axes to four", operands: { x: [2, 1, 3] }, attrs: { shape: [4, 2, 5, 3] } },
    {
      operator: "slice",
      what: "steps over both axes",
      operands: { x: [10, 7] },
      attrs: { starts: [1, 0], ends: [10, 7], steps: [4, 2] },
    },
    {
      operator: "reduce-sum",
      what: "two axes that are kept",
      operands: { x: [2, 3, 4] },
      attrs: { axes: [0, -1], keepdims: true },
    },
    {
      operator: "reduce-sum",
      what: "an axis that is dropped",
      operands: { x: [2, 3, 4] },
      attrs: { axes: [1], keepdims: false },
    },
    {
      operator: "concat",
      what: "three matrices",
      operands: { first: [2, 3], second: [2, 5], third: [2, 1] },
      attrs: { axis: -1 },
    },
    {
      operator: "gather",
      what: "a table of indices",
      operands: { x: [4, 5, 6], indices: [2, 2] },
      attrs: { axis: -2 },
    },
    { operator: "narrow", what: "a vector", operands: { x: [3] }, attrs: { width: 8 } },
    { operator: "cumsum", what: "a matrix", operands: { x: [2, 3] }, attrs: { axis: -1 } },
    { operator: "trilu", what: "a batch", operands: { x: [4, 2, 3] }, attrs: { upper: false, diagonal: -1 } },
  ];
  const misfits: readonly Misfit[] = [
    { operator: "add", what: "lengths that differ", operands: { left: [2], right: [3] }, stated: [3] },
    { operator: "matmul", what: "inner axes that differ", operands: { left: [2, 3], right: [4, 2] }, stated: [2, 2] },
    { operator: "reshape", what: "another number of values", operands: { x: [2, 6] }, stated: [13] },
    { operator: "expand", what: "an axis that is not 1", operands: { x: [2, 3] }, stated: [2, 6] },
    {
      operator: "transpose",
      what: "an axis taken twice",
      operands: { x: [2, 3] },
      attrs: { perm: [0, 0] },
      stated: [2, 2],
    },
    {
      operator: "concat",
      what: "other axes that differ",
      operands: { first: [2, 3], second: [3, 3] },
      attrs: { axis: 1 },
      stated: [2, 6],
    },
    {
      operator: "rope",
      what: "tables that are longer than the values",
      operands: { x: [4, 6], cos: [8, 6], sin: [8, 6] },
      stated: [8, 6],
    },
  ];

  test("have a rule for every local operator, and no other", () => {
    expect([...localShapes.keys()].sort()).toEqual(Object.keys(local).sort());
  });

  test("are all among the uses tested here", () => {
    expect(new Set(uses.map(({ operator }) => operator))).toEqual(new Set(localShapes.keys()));
  });

  test.each(uses)("give $operator of $what the shape that the IR infers", (use) => {
    const inferred = shapeByIr(use);

    const shape = shapeByRule(use, inferred);

    expect(shape).toEqual(inferred);
  });

  test.each(misfits)("give $operator of $what no shape", (misfit) => {
    const shape = shapeByRule(misfit, misfit.stated);

    expect(shape).toBeUndefined();
  });
});

test("the client's folder may hold the tokenizer that the compiler puts there", () => {
  expect(allowedFiles.get("client")).toEqual(expect.arrayContaining([...tokenizerFileNames]));
});
