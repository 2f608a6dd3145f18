import { rmSync } from "node:fs";
import onnxProto, { type onnx as proto } from "onnx-proto";
import { floatInfo, floatTensor, modelBytes, node } from "../compiler/onnx/format/build-model.ts";
import { type AttentionModel, attentionModel } from "../compiler/student/attention-model.ts";
import { numbers } from "../end-to-end/tiny-model.ts";
import { type Refused, walk, workFolder } from "./walk.ts";

const { at, put } = workFolder("students");
const spec: AttentionModel = { layers: 2, heads: 4, groups: 4, depth: 6, rows: 5, rope: false, bias: false };
const attention = put("attention.onnx", attentionModel(spec));
const rewritten =
  (model: string, ...options: readonly string[]) =>
  (): readonly string[] => {
    rmSync(at("student.onnx"), { force: true });
    return ["rewrite", model, ...options, "-o", at("student.onnx")];
  };

/** The same attention after an edit of its graph. */
function edited(name: string, edit: (graph: proto.IGraphProto) => void): string {
  const { graph } = onnxProto.onnx.ModelProto.decode(attentionModel(spec));
  edit(graph!);
  return put(name, modelBytes(graph!));
}

/** Every weight is an input of the graph too, as exporters wrote until 2020. */
const weightInputs = (graph: proto.IGraphProto): void => {
  graph.input!.push(
    ...graph.initializer!.map(({ name, dims, dataType }) => listed(name!, dims!.map(Number), dataType!)),
  );
};
const listed = (name: string, dims: number[], elemType: number): proto.IValueInfoProto => {
  const info = floatInfo(name, ...dims);
  return { ...info, type: { tensorType: { ...info.type!.tensorType, elemType } } };
};

/** One product for queries, keys and values, which slices cut into three. */
function fuseProjections(graph: proto.IGraphProto): void {
  const { width, heads, depth } = { width: 24, ...spec };
  const inner = heads * depth;
  for (let layer = 0; layer < spec.layers; layer++) {
    const scope = `/layers.${layer}/attn`;
    const weight = `layers.${layer}.attn.qkv.weight`;
    const first = graph.node!.findIndex(({ name }) => name === `${scope}/q/MatMul`);
    const from = graph.node![first]!.input![0]!;
    graph.initializer!.push(floatTensor(weight, [width, 3 * inner], numbers(width * 3 * inner, layer + 1, 0.6)));
    const ints = (name: string, value: number): string => {
      graph.initializer!.push({ name, dims: [1], dataType: 7, int64Data: [value] });
      return name;
    };
    const slices = ["q", "k", "v"].map((part, k) =>
      node(
        "Slice",
        [
          `${scope}/qkv`,
          ints(`${scope}/${part}/from`, k * inner),
          ints(`${scope}/${part}/to`, (k + 1) * inner),
          ints(`${scope}/${part}/axis`, 2),
        ],
        [`${scope}/${part}/MatMul_output_0`],
        `${scope}/${part}/Slice`,
      ),
    );
    const fused = [node("MatMul", [from, weight], [`${scope}/qkv`], `${scope}/qkv/MatMul`), ...slices];
    graph.node = graph.node!.filter(({ name }) => !["q", "k", "v"].some((part) => name === `${scope}/${part}/MatMul`));
    graph.node.splice(first, 0, ...fused);
  }
}

/** x[2, 3]·w with weights of this ONNX element type. */
const halves = (dataType: number): string => {
  const weight =
    dataType === 1
      ? floatTensor("w", [3, 4], numbers(12, 1, 1))
      : { name: "w", dims: [3, 4], dataType, rawData: new Uint8Array(24) };
  const info = (name: string, ...dims: number[]) => listed(name, dims, dataType);
  return put(
    `halves-${dataType}.onnx`,
    modelBytes({
      name: "halves",
      initializer: [weight],
      input: [info("x", 2, 3)],
      output: [info("y", 2, 4)],
      node: [node("MatMul", ["x", "w"], ["y"], "/fc/MatMul")],
    }),
  );
};

const refusals: readonly Refused[] = [
  {
    code: "MRL0680",
    what: "heads that are no multiple of 4",
    argv: rewritten(put("six.onnx", attentionModel({ ...spec, heads: 6, groups: 6, depth: 4 })), "--merge-heads", "4"),
    advice: /give --merge-heads 2$/m,
    next: rewritten(at("six.onnx"), "--merge-heads", "2"),
  },
  {
    code: "MRL0681",
    what: "every layer frozen",
    argv: rewritten(attention, "--merge-heads", "2", "--freeze", "1"),
    advice: /--freeze 0\.5.*`marillc inspect/,
    next: rewritten(attention, "--merge-heads", "2", "--freeze", "0.5"),
  },
  {
    code: "MRL0682",
    what: "targets that are no layer",
    argv: rewritten(attention, "--lora-rank", "2", "--lora-targets", "w_proj"),
    advice: /\battn\.q\b|\bq\b/,
    next: rewritten(attention, "--lora-rank", "2", "--lora-targets", "q"),
  },
  {
    code: "MRL0683",
    what: "weights of half precision",
    argv: () => rewritten(halves(10), "--lora-rank", "1")(),
    advice: /export the model in float32/,
    next: () => rewritten(halves(1), "--lora-rank", "1")(),
  },
  {
    code: "MRL0684",
    what: "heads to prune behind a slice of one product",
    argv: rewritten(edited("fused.onnx", fuseProjections), "--prune-heads", "2"),
    advice: /merge heads instead: --merge-heads 2/,
    next: rewritten(at("fused.onnx"), "--merge-heads", "2"),
  },
  {
    code: "MRL0686",
    what: "weights that are inputs too",
    argv: rewritten(edited("inputs.onnx", weightInputs), "--prune-heads", "2"),
    advice: /keep_initializers_as_inputs=False/,
    next: rewritten(attention, "--prune-heads", "2"),
  },
  {
    code: "MRL0685",
    what: "a student over its source",
    argv: () => ["rewrite", attention, "--merge-heads", "2", "-o", attention],
    advice: /-o/,
    next: rewritten(attention, "--merge-heads", "2"),
  },
];

walk(refusals);
