import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { runCommandLine } from "../../compiler/cli/command-line.ts";
import { writeNpz } from "../../compiler/tensors/npz.ts";
import { tensor } from "../../ir/tensor.ts";
import { floatInfo, floatTensor, modelBytes, node } from "../compiler/onnx/format/build-model.ts";
import { numbers } from "../end-to-end/tiny-model.ts";
import { marillc } from "./run-cli.ts";

/* `check` says what `compile` refuses with the same options: the same codes, and the same exit code. */

const dir = mkdtempSync(join(tmpdir(), "marillc-check-as-"));
afterAll(() => rmSync(dir, { recursive: true }));
const at = (file: string): string => join(dir, file);

/** Rows of inputs and outputs without a size. */
const rowsOf = (name: string) => ({
  name,
  type: { tensorType: { elemType: 1, shape: { dim: [{ dimParam: "rows" }, { dimValue: 4 }] } } },
});

/** y[2, 4] = x[2, 4]·w, or an operator that no compiler of secrets has. */
function write(file: string, op: string, inputs: string[], symbolic = false): string {
  const info = (name: string) => (symbolic ? rowsOf(name) : floatInfo(name, 2, 4));
  const graph = {
    name: "tiny",
    initializer: [floatTensor("fc.weight", [4, 4], numbers(16, 1, 0.05))],
    input: [info("x")],
    output: [info("y")],
    node: [node(op, inputs, ["y"], "/fc/MatMul")],
  };
  writeFileSync(at(file), modelBytes(graph));
  return at(file);
}
const models = {
  product: write("product.onnx", "MatMul", ["x", "fc.weight"]),
  unsupported: write("unsupported.onnx", "Det", ["x"]),
  symbolic: write("symbolic.onnx", "MatMul", ["x", "fc.weight"], true),
};
const sample = { dtype: "float32" as const, tensor: tensor([2, 4], numbers(8, 3, 1)) };
writeFileSync(at("calib.npz"), writeNpz(new Map([["x", sample]])));
writeFileSync(at("ranges.json"), "x: -4 to 4");

const owned = ["--private", "*", "--reveal", "y:client"];
const calibrated = [...owned, "--calibrate", at("calib.npz")];
const optionSets: readonly (readonly [string, readonly string[]])[] = [
  ["all that is needed", calibrated],
  ["three parties", [...calibrated, "--setting", "3pc"]],
  ["no bounds", owned],
  ["no reader", ["--private", "*", "--calibrate", at("calib.npz")]],
  ["no owner", ["--reveal", "y:client", "--calibrate", at("calib.npz")]],
  ["an output that is not there", ["--private", "*", "--reveal", "z:client"]],
  ["a pattern that matches nothing", [...calibrated, "--private", "head*"]],
  ["an input that is not there", [...calibrated, "--input", "z:server"]],
  ["a dimension that is not there", [...calibrated, "--dim", "z=2"]],
  ["a size", [...calibrated, "--dim", "rows=2"]],
  ["an adapter that is not there", ["--adapter", at("nowhere"), "--reveal", "y:client"]],
  ["a base that is not there", [...calibrated, "--base", at("nowhere.onnx")]],
  ["ranges that are no JSON", [...owned, "--ranges", at("ranges.json")]],
  ["a layer without a range check", [...calibrated, "--guard", "nowhere"]],
  ["a margin beyond its range", [...calibrated, "--margin", "2000"]],
  ["a setting that does not exist", [...calibrated, "--setting", "5pc"]],
  ["a preset that does not exist", [...calibrated, "--preset", "none"]],
  ["a preset of another setting", [...calibrated, "--preset", "puma"]],
  ["a quality beside a preset", [...calibrated, "--preset", "crypten", "--quality", "fast"]],
  ["a reader that does not exist", ["--private", "*", "--reveal", "y:dealer"]],
];

async function outcome(...argv: readonly string[]) {
  const { code, out, err } = await marillc(...argv);
  return { code, codes: [...(out + err).matchAll(/^error[: ](MRL\d{4})?/gm)].map(([, found]) => found) };
}

test.each(optionSets)("%s", async (_, options) => {
  for (const model of Object.values(models)) {
    const compiled = await outcome("compile", model, ...options, "-o", at("build"));
    expect(await outcome("check", model, ...options), model).toEqual(compiled);
  }
});

test("values of options that do not exist are wrong usage, as a wrong option is", async () => {
  for (const options of [
    ["--setting", "5pc"],
    ["--preset", "none"],
    ["--quality", "best"],
  ]) {
    const { code, codes } = await outcome("check", models.product, ...calibrated, ...options);
    expect([code, ...codes]).toEqual([2, "MRL0650"]);
  }
});

test("rows of a private table that are small and that the client selects keep their scale among three parties", async () => {
  const graph = {
    name: "embedding",
    initializer: [
      floatTensor("e.weight", [4, 4], numbers(16, 1, 0.05)),
      floatTensor("fc.weight", [4, 4], numbers(16, 2, 0.5)),
    ],
    input: [{ name: "ids", type: { tensorType: { elemType: 7, shape: { dim: [{ dimValue: 2 }] } } } }],
    output: [floatInfo("y", 2, 4)],
    node: [
      node("Gather", ["e.weight", "ids"], ["rows"], "/e/Gather"),
      node("MatMul", ["rows", "fc.weight"], ["h"], "/fc/MatMul"),
      node("Tanh", ["h"], ["y"], "/Tanh"),
    ],
  };
  writeFileSync(at("embedding.onnx"), modelBytes(graph));
  const ids = { dtype: "int64" as const, tensor: tensor([2], [3, 1]) };
  writeFileSync(at("ids.npz"), writeNpz(new Map([["ids", ids]])));
  const { code, out, err } = await marillc(
    ...["check", at("embedding.onnx"), ...owned, "--base", at("embedding.onnx")],
    ...["--calibrate", at("ids.npz"), "--setting", "3pc"],
  );
  expect(code, out + err).toBe(0);
});

test("sizes alone ask whether the model can be read, and the answer says so", async () => {
  const { code, out } = await marillc("check", models.symbolic, "--dim", "rows=2");
  expect(code).toBe(0);
  expect(out).toMatch(/the import alone.*\nPASSED\n$/s);
  expect((await marillc("check", models.product, ...calibrated)).out).not.toContain("import alone");
});

test("a signal during verification leaves no unfinished build", async () => {
  let [before, after]: (readonly string[])[] = [];
  const unfinished = (): readonly string[] => readdirSync(dir).filter((name) => name.startsWith(".fresh"));
  const code = await runCommandLine(["compile", models.product, ...calibrated, "-o", at("fresh")], {
    out: () => {},
    err: () => {},
    isTerminal: false,
    environment: {},
    interrupted: new Promise(() => {}),
    onHangup: () => () => {},
    beforeSignal: (remove) => {
      before = unfinished();
      remove();
      after = unfinished();
      return () => {};
    },
  });
  expect(before).toHaveLength(1);
  expect(after).toEqual([]);
  // The process would have ended: here the verification fails without its files.
  expect(code).not.toBe(0);
});
