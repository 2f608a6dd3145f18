import { expect, test } from "vitest";
import { formatDiagnostic } from "../../ir/diagnostic.ts";
import { interpret } from "../../ir/interpret.ts";
import { opsOf } from "../../ir/module.ts";
import { split, splitPass } from "../../passes/1-split/split.ts";
import { runPass } from "../../passes/pass.ts";
import { block, blockShape, codesOf, createNoise, largestDifference, model } from "./models.ts";

const toClient = (output: string) => ({ reveal: [{ output, to: "client" as const }] });

const lora = () =>
  model(({ op, weight, feature, noise }) => {
    const h = op("matmul", [feature("x", [2, 4]), weight("base", "public", noise([4, 4]))], {}, { result: "h" });
    const w = weight("w", "server", noise([4, 3]));
    const d = op("matmul", [h, w], {}, { result: "d", origin: "/d/MatMul" });
    const y = op("relu", [d], {}, { result: "logits", origin: "/lm_head/Relu" });
    return [y, op("relu", [h], {}, { result: "frozen" })];
  });

test("the client computes what depends on public weights and its inputs alone", () => {
  const { module, client } = runPass(splitPass(toClient("logits")), lora());
  expect(client).toEqual({
    inputs: ["x"],
    cuts: [{ value: "h", source: "h" }],
    outputs: ["frozen"],
    tails: [],
  });
  expect(module.inputs).toEqual(["h"]);
  expect(opsOf(module).map((op) => [op.name, op.operands, op.result])).toEqual([
    ["share", ["h"], "h.share"],
    ["matmul", ["h.share", "w"], "d"],
    ["relu", ["d"], "logits.shared"],
    ["reveal", ["logits.shared"], "logits"],
  ]);
  expect(module.values.logits!.type.label).toBe("client");
});

test("an undeclared output is refused, with the reason", () => {
  try {
    split(lora(), { reasons: new Map([["w", "declared by --adapter ./date-lora"]]) });
    expect.unreachable();
  } catch (error) {
    const { diagnostics } = error as { diagnostics: Parameters<typeof formatDiagnostic>[0][] };
    expect(diagnostics.map(formatDiagnostic).join("\n")).toBe(
      [
        'error MRL0301: output "logits" would reveal to the client a value computed from private weights',
        "  at      /lm_head/Relu",
        "  because %w is server (declared by --adapter ./date-lora)",
        "          %d = matmul %h, %w   becomes shared",
        "  help    if the client should receive this result, add --reveal logits:client",
      ].join("\n"),
    );
  }
});

test("all wrong declarations are reported at once", () => {
  const reveal = ["nothing", "d"].map((output) => ({ output, to: "client" as const }));
  expect(codesOf(() => split(lora(), { reveal }))).toEqual(["MRL0302", "MRL0303", "MRL0301"]);
});

test("a reveal in the middle of a model is refused", () => {
  const sandwich = model(({ op, weight, feature, noise }) => {
    const w = weight("w", "server", noise([4, 4]));
    const opened = op("reveal", [op("matmul", [op("share", [feature("x", [1, 4])]), w])], { to: "client" });
    return [op("matmul", [opened, w], {}, { result: "y" })];
  });
  expect(codesOf(() => split(sandwich, toClient("y")))).toEqual(["MRL0303"]);
  expect(codesOf(() => split(lora(), toClient("logits")))).toEqual([]);
});

test("a model without a private weight is refused", () => {
  const open = model(({ op, feature }) => [op("relu", [feature("x", [2])])]);
  expect(codesOf(() => split(open, {}))).toEqual(["MRL0305"]);
});

test("a value that is no ONNX tensor is not cut: its op becomes secure", () => {
  const sources = new Map([
    ["x", "x"],
    ["logits", "logits"],
  ]);
  const { client, module } = split({ ...lora(), sources }, toClient("logits"));
  expect(client.cuts).toEqual([{ value: "x", source: "x" }]);
  expect(module.values.h!.type.label).toBe("shared");
});

test("the client's part and the secure part together compute the model", () => {
  const whole = block();
  const x = createNoise(7)(blockShape);
  const state = split(whole, toClient("out"));
  const cuts = new Map(state.client.cuts.map(({ value }) => [value, x]));
  interpret(whole.module, whole.weights, new Map([["x", x]]), {
    observe: (id, value) => cuts.has(id) && cuts.set(id, value),
  });
  // The public products and the keys too: the client knows all that they depend on.
  expect(state.client.cuts.map(({ value }) => value)).toEqual(["norm1", "q.y", "rope_1", "v.y"]);
  const expected = interpret(whole.module, whole.weights, new Map([["x", x]])).get("out")!;
  expect(largestDifference(interpret(state.module, state.weights, cuts).get("out")!, expected)).toBe(0);
});

test("an output of two readers is opened twice, each time to one party", () => {
  const reveal = (["server", "client"] as const).map((to) => ({ output: "logits", to }));
  const { module, sources } = split({ ...lora(), sources: new Map([["logits", "logits_0"]]) }, { reveal });
  const opened = opsOf(module).filter(({ name }) => name === "reveal");
  expect(opened.map(({ operands, result, attrs }) => [operands, result, attrs.to])).toEqual([
    [["logits.shared"], "logits", "client"],
    [["logits.shared"], "logits.server", "server"],
  ]);
  expect(module.outputs).toEqual(["logits", "logits.server"]);
  expect(module.values["logits.server"]!.type.label).toBe("server");
  expect(sources.get("logits.server")).toBe("logits_0");
});

test("the client shares an output that it knows already, for the server to read", () => {
  const reveal = (["client", "server"] as const).flatMap((to) =>
    ["logits", "frozen"].map((output) => ({ output, to })),
  );
  const { module, client } = split(lora(), { reveal });
  // The client's own copy needs no protocol.
  expect(client.outputs).toEqual(["frozen"]);
  expect(client.cuts.map(({ value }) => value)).toEqual(["h", "frozen"]);
  expect(opsOf(module).filter(({ operands }) => operands[0]!.startsWith("frozen"))).toMatchObject([
    { name: "share", operands: ["frozen"], result: "frozen.share" },
    { name: "reveal", operands: ["frozen.share"], result: "frozen.revealed", attrs: { to: "server" } },
  ]);
});

test("an output that the server alone reads is none of the client's", () => {
  const reveal = ["logits", "frozen"].map((output) => ({ output, to: "server" as const }));
  const { module, client } = split(lora(), { reveal });
  expect(client.outputs).toEqual([]);
  expect(module.outputs.map((id) => module.values[id]!.type.label)).toEqual(["server", "server"]);
});

/** tanh(a·u) at the client, tanh(b·w) at the server, and their product. */
const twoInputs = (bOf: "client" | "server" | "public" = "server") =>
  model(({ op, weight, feature, noise }) => {
    const a = feature("a", [2, 4]);
    const b = feature("b", [2, 4], bOf);
    const mine = op("tanh", [op("matmul", [a, weight("u", "public", noise([4, 3]))], {})], {}, { result: "mine" });
    const w = weight("w", "server", noise([4, 3]));
    const theirs = op("tanh", [op("matmul", [b, w], {}, { result: "low" })], {}, { result: "theirs" });
    return [op("mul", [mine, theirs], {}, { result: "y" })];
  });

test("the server computes what depends on weights and its own inputs alone, with its private weights", () => {
  const { module, client, server } = runPass(splitPass(toClient("y")), twoInputs());
  expect(client).toMatchObject({ inputs: ["a"], cuts: [{ value: "mine", source: "mine" }] });
  expect(server).toEqual({ inputs: ["b"], cuts: [{ value: "theirs", source: "theirs" }] });
  expect(module.inputs.map((id) => module.values[id]!.type.label)).toEqual(["client", "server"]);
  expect(Object.keys(module.params)).toEqual([]);
  expect(opsOf(module).map(({ name, operands }) => [name, ...operands])).toEqual([
    ["share", "mine"],
    ["share", "theirs"],
    ["mul", "mine.share", "theirs.share"],
    ["reveal", "y.shared"],
  ]);
});

test("what an attached adapter adds is no layer of the server's file: the server shares what is before it", () => {
  const { module, server } = split({ ...twoInputs(), attached: new Set(["model.w"]) }, toClient("y"));
  expect(server!.cuts.map(({ value }) => value)).toEqual(["b"]);
  expect(Object.keys(module.params)).toEqual(["w"]);
});

test("the server shares only tensors of the ONNX file", () => {
  const sources = new Map(["a", "b", "mine", "low"].map((id) => [id, `${id}_0`]));
  const { server } = split({ ...twoInputs(), sources }, toClient("y"));
  expect(server).toEqual({ inputs: ["b_0"], cuts: [{ value: "low", source: "low_0" }] });
});

test("a public input comes from the client, so the server computes nothing from it", () => {
  const { client, server } = split(twoInputs("public"), toClient("y"));
  expect(client.cuts.map(({ value }) => value)).toEqual(["b", "mine"]);
  expect(server).toBeUndefined();
});

test("without inputs of the server's there is no part of the server's", () => {
  expect(split(twoInputs("client"), toClient("y"))).not.toHaveProperty("server");
});
