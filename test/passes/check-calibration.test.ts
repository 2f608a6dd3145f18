import { expect, test } from "vitest";
import { tensor } from "../../ir/tensor.ts";
import { split } from "../../passes/1-split/split.ts";
import { rewrite } from "../../passes/2-rewrite/index.ts";
import { calibrate, roomForQueries } from "../../passes/4-quantize/index.ts";
import { checkedWith } from "./checked-calibration.ts";
import { type Kit, model } from "./models.ts";

const prepared = (body: (kit: Kit, x: string) => readonly string[], shape: readonly number[]) => {
  const whole = model((kit) => body(kit, kit.feature("x", shape)));
  return rewrite(split(whole, { reveal: whole.module.outputs.map((output) => ({ output, to: "client" })) }));
};

/** The private matrix w is the unit matrix for calibration. */
const scaled = (state: ReturnType<typeof prepared>, by: number) => ({
  ...state,
  weights: new Map([...state.weights].map(([name, w]) => [name, { ...w, data: w.data.map((x) => x * by) }])),
});

const unit = tensor([2, 2], [1, 0, 0, 1]);

test("a value keeps room for queries beside the private weights", () => {
  const state = prepared(({ op, weight }, x) => [op("matmul", [x, weight("w", "server", unit)])], [1, 2]);
  const [x] = state.module.inputs;
  const inputs = [new Map([[x!, tensor([1, 2], [1, -1])]])];
  const calibration = calibrate(state, inputs, { margin: 4 });
  const codes = (by: number, room: number) =>
    checkedWith(scaled(state, by), inputs, calibration, room).map(({ code }) => code);
  expect(codes(3.1, roomForQueries(4))).toEqual([]);
  expect(new Set(codes(3.9, roomForQueries(4)))).toEqual(new Set(["MRL0505"]));
  expect(codes(3.9, roomForQueries(1))).toEqual([]);
  expect(new Set(codes(4.1, roomForQueries(1)))).toEqual(new Set(["MRL0505"]));
});

test("an end that the operator proves needs no room", () => {
  const state = prepared(({ op, weight }, x) => [op("tanh", [op("matmul", [x, weight("w", "server", unit)])])], [1, 2]);
  const [x] = state.module.inputs;
  const inputs = [new Map([[x!, tensor([1, 2], [9, -9])]])];
  const found = checkedWith(state, inputs, calibrate(state, inputs, { margin: 4 }), 1.25);
  expect(found).toEqual([]);
});

test.each([
  ["scores", "attention"],
  ["sums of squares", "rms-norm"],
])("%s that the private weights raise beyond their bound are reported", (what, name) => {
  const body = ({ op, weight }: Kit, x: string) => {
    const y = op("matmul", [x, weight("w", "server", unit)]);
    if (name === "rms-norm") return [op("rms-norm", [y], { epsilon: 1e-5 })];
    return [op("attention", [y, y, y], { scale: 1, causal: false })];
  };
  const shape = name === "attention" ? [1, 1, 3, 2] : [3, 2];
  const state = prepared(body, shape);
  const [x] = state.module.inputs;
  const inputs = [new Map([[x!, tensor(shape, [3, 1, -2, 3, 1, 1])]])];
  const calibration = calibrate(state, inputs, { margin: 2 });
  expect(checkedWith(state, inputs, calibration, 1.25)).toEqual([]);
  // Values within their bounds: scores grow with the square, and sums of squares too.
  const messages = checkedWith(scaled(state, 1.9), inputs, calibration, 1).map(({ message }) => message);
  if (name === "attention") expect(messages.join()).toContain(what);
  const far = checkedWith(scaled(state, 3), inputs, calibration, 1).map(({ message }) => message);
  expect(far.join()).toContain(what);
});
