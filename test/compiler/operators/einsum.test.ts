import { describe, expect, it } from "vitest";
import { codesOf } from "../onnx/format/build-model.ts";
import { agreesWithRuntime, type Case, imported, of } from "./one-node.ts";

const einsum = (equation: string, ...shapes: number[][]): Case => ({
  op: "Einsum",
  inputs: shapes.map((shape) => of(...shape)),
  attrs: { equation },
});

const cases: readonly Case[] = [
  einsum("ij,jk->ik", [2, 3], [3, 4]),
  einsum("ij,jk", [2, 3], [3, 4]),
  einsum("bhid,bhjd->bhij", [2, 3, 4, 5], [2, 3, 6, 5]),
  einsum("i , j -> i j", [3], [4]),
  einsum("ij->ji", [2, 3]),
  einsum("ijk->k", [2, 3, 4]),
  einsum("ij,ij->", [2, 3], [2, 3]),
  einsum("...ij,...jk->...ik", [2, 3, 4, 5], [2, 3, 5, 2]),
  einsum("...i->...", [2, 3, 4]),
  einsum("ab,bc,cd->da", [2, 3], [3, 4], [4, 5]),
  einsum("b i d, j d -> b i j", [2, 3, 4], [5, 4]),
  einsum("ik,jl->ij", [2, 3], [4, 5]),
];
describe("Einsum", () => agreesWithRuntime(cases));

it("refuses equations that do not fit", () => {
  const code = (each: Case) => codesOf(() => imported(each));
  expect(code(einsum("ii->i", [3, 3]))).toEqual(["MRL0404"]);
  expect(code(einsum("ij,jk->ik", [2, 3]))).toEqual(["MRL0404"]);
  expect(code(einsum("ij,jk->ik", [2, 3], [4, 4]))).toEqual(["MRL0404"]);
  expect(code(einsum("ijk->i", [2, 3]))).toEqual(["MRL0404"]);
  expect(code(einsum("i$->i", [2, 3]))).toEqual(["MRL0404"]);
  expect(code(einsum("ij->iz", [2, 3]))).toEqual(["MRL0404"]);
});
