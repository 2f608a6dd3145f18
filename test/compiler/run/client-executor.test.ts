import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import type { Manifest } from "../../../compiler/build/manifest.ts";
import type { PartyBuild } from "../../../compiler/build/party-build.ts";
import { openClientExecutor } from "../../../compiler/run/client-executor.ts";
import type { TypedTensor } from "../../../compiler/tensors/npy.ts";
import { tensor } from "../../../ir/tensor.ts";
import type { Program } from "../../../runtime/program/program.ts";
import { intTensor } from "../../../runtime/ring/tensor.ts";
import { floatInfo, floatTensor, modelBytes, node } from "../onnx/format/build-model.ts";

/*
 * The client's part around a query about one place: rows of what is computed over the window go in, and the head, which
 * is of the window, gives the row of that place.
 */
const dir = mkdtempSync(join(tmpdir(), "marillc-client-part-"));
afterAll(() => rmSync(dir, { recursive: true }));

const [length, width] = [3, 2];
const matrix = [1, 2, 3, 4];
const model = (name: string, from: string, to: string): Uint8Array =>
  modelBytes({
    name,
    initializer: [floatTensor("w", [width, width], matrix)],
    input: [floatInfo(from, 1, length, width)],
    output: [floatInfo(to, 1, length, width)],
    node: [node("MatMul", [from, "w"], [to], `/${name}`)],
  });
writeFileSync(join(dir, "public.onnx"), model("public", "x", "cut"));
writeFileSync(join(dir, "head.onnx"), model("head", "hidden", "logits"));

const fixed = (places: number) => ({ shape: [1, places, width], width: 32, scale: 8, lo: -64, hi: 64 });
const programOf = (places: number): Program => ({
  name: "test",
  hash: "",
  setting: "2pc-dealer",
  inputs: { cut: fixed(places) },
  outputs: { hidden: { ...fixed(places), to: "client" } },
  weights: {},
  *body() {
    return {};
  },
});
const borders = (places: number) => {
  const shape = [1, places, width];
  return {
    cuts: [{ value: "cut", tensor: "cut", shape, axis: 1 }],
    reveals: [{ value: "hidden", tensor: "hidden", to: "client", shape, axis: 1 }],
  };
};
const manifest = {
  ...borders(length),
  tails: [{ value: "hidden", from: "hidden", output: "logits" }],
  clientOutputs: [],
  decode: { ...borders(1), places: length },
} as unknown as Manifest;
const part: PartyBuild = {
  dir,
  manifest,
  manifestHash: "",
  program: programOf(length),
  decode: programOf(1),
  buckets: [],
  bucketMirs: [],
  tensors: new Map(),
  mir: "",
};

const x: TypedTensor = { dtype: "float32", tensor: tensor([1, length, width], [1, 0, 0, 1, 1, 1]) };
const inputs = new Map([["x", x]]);
const rowsOfProduct = [
  [1, 2],
  [3, 4],
  [4, 6],
];

it("shares the row of the position, at the program's scale", async () => {
  const client = await openClientExecutor(part);
  const { shared } = await client.prepare(inputs, { program: 1, position: 2 });
  expect(shared.cut!.shape).toEqual([1, 1, width]);
  expect([...shared.cut!.data!]).toEqual(rowsOfProduct[2]!.map((value) => value * 2 ** 8));
  const whole = await client.prepare(inputs, { program: 0, position: 2 });
  expect([...whole.shared.cut!.data!]).toEqual(rowsOfProduct.flat().map((value) => value * 2 ** 8));
  await client.release();
});

it.each([0, 1, 2])("computes the head's row of position %i", async (position) => {
  const client = await openClientExecutor(part);
  const prepared = await client.prepare(inputs, { program: 1, position });
  const revealed = new Map([["hidden", intTensor([1, 1, width], Float64Array.of(0, 2 ** 8))]]);
  const logits = (await client.finish(prepared, revealed)).get("logits")!.tensor;
  expect(logits.shape).toEqual([1, 1, width]);
  expect([...logits.data]).toEqual(rowsOfProduct[1]);
  await client.release();
});
