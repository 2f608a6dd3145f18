import { floatTensor, node } from "../../compiler/onnx/format/build-model.ts";
import { compile, type HostileCase, type HostileClass } from "./cases.ts";
import { graphCase } from "./models.ts";

type Owner = "public" | "private";

/** x · first · second → y: a public and a private matrix; one of them has `value` as its last element. */
function chain(name: string, value: number, broken: Owner, first: Owner, valid?: true): HostileCase {
  const second = first === "public" ? "private" : "public";
  const matrix = (owner: Owner) =>
    floatTensor(
      `${owner}.weight`,
      [4, 4],
      Array.from({ length: 16 }, (_, at) => (owner === broken && at === 15 ? value : 0.25 + at / 64)),
    );
  return graphCase(
    `${name} in a ${broken} matrix, ${first} first`,
    () => ({
      initializer: [matrix("public"), matrix("private")],
      node: [node("MatMul", ["x", `${first}.weight`], ["h"]), node("MatMul", ["h", `${second}.weight`], ["y"])],
    }),
    valid,
  );
}

const broken: readonly (readonly [string, number])[] = [
  ["NaN", Number.NaN],
  ["infinity", Number.POSITIVE_INFINITY],
  ["minus infinity", Number.NEGATIVE_INFINITY],
];
const owners: readonly (readonly [Owner, Owner])[] = [
  ["public", "public"],
  ["public", "private"],
  ["private", "public"],
  ["private", "private"],
];

/** Before the first private matrix the client computes in the clear; after it, public matrices multiply shares. */
export const nonFiniteClasses: readonly HostileClass[] = [
  {
    name: "weights that are no numbers",
    open: (model, folder) => compile(model, folder, "private.*"),
    codes: ["MRL0506"],
    cases: [
      ...broken.flatMap(([name, value]) => owners.map(([owner, first]) => chain(name, value, owner, first))),
      ...owners.map(([owner, first]) => chain("a number", 0.5, owner, first, true)),
    ],
  },
];
