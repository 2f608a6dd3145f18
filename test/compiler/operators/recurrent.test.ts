import { describe, expect, it } from "vitest";
import { codesOf } from "../onnx/format/build-model.ts";
import { type Attribute, agreesWithRuntime, type Case, type In, imported, ints, of } from "./one-node.ts";

const [steps, batch, width, hidden] = [3, 2, 4, 5];

interface Options {
  readonly directions?: 1 | 2;
  readonly bias?: boolean;
  readonly initial?: boolean;
  readonly lengths?: In;
  readonly peepholes?: boolean;
  readonly attrs?: Readonly<Record<string, Attribute>>;
}

const gatesOf = { RNN: 1, GRU: 3, LSTM: 4 } as const;

function recurrent(
  op: keyof typeof gatesOf,
  { directions = 1, bias, initial, lengths, peepholes, attrs }: Options = {},
): Case {
  const rows = gatesOf[op] * hidden;
  const state = of(directions, batch, hidden);
  const states = op === "LSTM" ? [state, state] : [state];
  return {
    op,
    inputs: [
      of(steps, batch, width),
      of(directions, rows, width),
      of(directions, rows, hidden),
      bias ? of(directions, 2 * rows) : undefined,
      lengths && { ...lengths, dtype: "int32" },
      ...(initial ? states : states.map(() => undefined)),
      ...(peepholes ? [of(directions, 3 * hidden)] : []),
    ],
    attrs: { hidden_size: hidden, ...attrs },
    outputs: op === "LSTM" ? [true, true, true] : [true, true],
    opset: 14,
  };
}

const real = (float: number) => ({ float });
const cases: readonly Case[] = [
  recurrent("RNN"),
  recurrent("RNN", { bias: true, initial: true, attrs: { activations: ["Relu"], direction: "reverse" } }),
  recurrent("RNN", { directions: 2, attrs: { activations: ["Tanh", "LeakyRelu"], direction: "bidirectional" } }),
  recurrent("RNN", { attrs: { clip: real(0.5), activations: ["HardSigmoid"] } }),
  recurrent("GRU"),
  recurrent("GRU", { bias: true, initial: true, attrs: { linear_before_reset: 1 } }),
  recurrent("GRU", { directions: 2, bias: true, initial: true, attrs: { direction: "bidirectional" } }),
  recurrent("GRU", { directions: 2, bias: true, attrs: { direction: "bidirectional", linear_before_reset: 1 } }),
  recurrent("GRU", { bias: true, lengths: ints(2, 3), attrs: { direction: "reverse", linear_before_reset: 1 } }),
  recurrent("LSTM"),
  recurrent("LSTM", { directions: 2, bias: true, initial: true, attrs: { direction: "bidirectional" } }),
  recurrent("LSTM", { bias: true, peepholes: true, initial: true }),
  recurrent("LSTM", { bias: true, attrs: { input_forget: 1 } }),
  recurrent("LSTM", { bias: true, lengths: ints(1, 3) }),
  recurrent("LSTM", { bias: true, lengths: ints(1, 3), attrs: { direction: "reverse" } }),
  recurrent("LSTM", {
    attrs: {
      activations: ["Sigmoid", "ScaledTanh", "Affine"],
      activation_alpha: { floats: [1.5, 2] },
      activation_beta: { floats: [1, 0.25] },
    },
  }),
];
describe("recurrent operators", () => agreesWithRuntime(cases));

it("accepts the batch first, and secret lengths", () => {
  const swapped: Case = { ...recurrent("GRU"), attrs: { hidden_size: hidden, layout: 1 } };
  const inputs = [of(batch, steps, width), ...swapped.inputs.slice(1)];
  const { module, outputs } = imported({ ...swapped, inputs });
  expect(module.values[outputs.get("y0")!]!.type.shape).toEqual([batch, steps, 1, hidden]);
  expect(module.values[outputs.get("y1")!]!.type.shape).toEqual([batch, 1, hidden]);
  const secret = { ...ints(1, 3), known: undefined } as unknown as In;
  expect(codesOf(() => imported(recurrent("GRU", { lengths: secret })))).toEqual([]);
});

it("refuses unknown directions and activations", () => {
  expect(codesOf(() => imported(recurrent("GRU", { attrs: { direction: "sideways" } })))).toEqual(["MRL0404"]);
  expect(codesOf(() => imported(recurrent("RNN", { attrs: { activations: ["Softsign"] } })))).toEqual(["MRL0404"]);
});
