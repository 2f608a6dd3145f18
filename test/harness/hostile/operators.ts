import type { onnx as proto } from "onnx-proto";
import { floatInfo, floatTensor, node } from "../../compiler/onnx/format/build-model.ts";
import { compile, type HostileCase, type HostileClass } from "./cases.ts";
import { graph, graphCase, integers, model, onnxCase, single, type Value, withAttributes } from "./models.ts";

type Attributes = Readonly<Record<string, Value>>;

/** One node between x and y, after the product: it and its stored inputs. */
export function nodeCase(
  name: string,
  op: string,
  attributes: Attributes = {},
  stored: readonly proto.ITensorProto[] = [],
  inputs: readonly string[] = ["h", ...stored.map((tensor) => tensor.name!)],
): HostileCase {
  return graphCase(name, () => ({
    initializer: [...graph().initializer!, ...stored],
    node: [graph().node![0]!, withAttributes(node(op, [...inputs], ["y"], "hostile"), attributes)],
  }));
}

/** The same on an image [1, 2, 6, 6] with a kernel [4, 2, 3, 3]. */
const image = (name: string, op: string, attributes: Attributes, kernel = [4, 2, 3, 3]): HostileCase =>
  graphCase(name, () => ({
    input: [floatInfo("x", 1, 2, 6, 6)],
    initializer: [
      floatTensor(
        "layer.weight",
        kernel,
        Array.from({ length: kernel.reduce((a, b) => a * b) }, () => 0.5),
      ),
    ],
    node: [withAttributes(node(op, op.includes("Pool") ? ["x"] : ["x", "layer.weight"], ["y"]), attributes)],
  }));

export const big = 2 ** 40;

export const operatorClasses: readonly HostileClass[] = [
  {
    name: "operators",
    open: compile,
    codes: ["MRL0401", "MRL0404"],
    cases: [
      image("stride 0", "Conv", { strides: [0, 0] }),
      image("a negative stride", "Conv", { strides: [-1, -1] }),
      image("dilation 0", "Conv", { dilations: [0, 0] }),
      image("group 0", "Conv", { group: 0 }),
      image("a group that divides nothing", "Conv", { group: 3 }),
      image("2^40 groups", "Conv", { group: big }),
      image("padding of 2^40", "Conv", { pads: [big, big, big, big] }),
      image("padding of 2^31 on one side", "Conv", { pads: [0, 2 ** 31, 0, 0] }),
      image("negative padding", "Conv", { pads: [-9, -9, -9, -9] }),
      image("one stride for two axes", "Conv", { strides: [1] }),
      image("an empty kernel", "Conv", {}, [4, 2, 0, 3]),
      image("a kernel larger than the image", "Conv", {}, [4, 2, 9, 9]),
      image("pooling with stride 0", "MaxPool", { kernel_shape: [2, 2], strides: [0, 0] }),
      image("pooling without a kernel", "AveragePool", {}),
      image("pooling with a kernel of 2^40", "AveragePool", { kernel_shape: [big, big] }),
      image("pooling with padding of 2^31", "AveragePool", {
        kernel_shape: [2, 2],
        pads: [2 ** 31, 0, 0, 0],
        count_include_pad: 1,
      }),
      image("transposed convolution to 2^40", "ConvTranspose", { strides: [big, big] }, [2, 4, 3, 3]),
      image("a list of a million strides", "Conv", { strides: Array<number>(1_000_000).fill(1) }),
      nodeCase("a reshape to 2^40", "Reshape", {}, [integers("s", big)]),
      nodeCase("a reshape with two inferred sizes", "Reshape", {}, [integers("s", -1, -1)]),
      nodeCase("a reshape to negative sizes", "Reshape", {}, [integers("s", -2, -2)]),
      nodeCase("an expansion to 2^40", "Expand", {}, [integers("s", big, 1, 4)]),
      nodeCase("2^40 tiles", "Tile", {}, [integers("r", 1, big)]),
      nodeCase("-1 tiles", "Tile", {}, [integers("r", 1, -1)]),
      nodeCase("padding of 2^40 by reflection", "Pad", { mode: "reflect" }, [integers("p", 0, big, 0, 0)]),
      nodeCase("padding of 2^40 by zeros", "Pad", {}, [integers("p", 0, big, 0, 0)]),
      nodeCase("2^40 parts", "Split", { num_outputs: big }),
      nodeCase("parts that add up to something else", "Split", {}, [integers("s", 1, 1)]),
      nodeCase("a slice with step 0", "Slice", {}, [
        integers("b", 0),
        integers("e", 4),
        integers("a", 1),
        integers("t", 0),
      ]),
      nodeCase("a slice of axis 9", "Slice", {}, [integers("b", 0), integers("e", 4), integers("a", 9)]),
      nodeCase("index 99 of 4", "Gather", { axis: 1 }, [integers("i", 99)]),
      nodeCase("axis 7", "Softmax", { axis: 7 }),
      nodeCase("an axis of text", "Softmax", { axis: "one" }),
      nodeCase("a permutation with one axis twice", "Transpose", { perm: [0, 0] }),
      nodeCase("a permutation of three axes", "Transpose", { perm: [0, 1, 2] }),
      nodeCase("concatenation along axis 5", "Concat", { axis: 5 }),
      nodeCase("the 9 largest of 4", "TopK", {}, [integers("k", 9)]),
      nodeCase("the -1 largest", "TopK", {}, [integers("k", -1)]),
      nodeCase("a cast to text", "Cast", { to: 8 }),
      nodeCase("a cast to nothing", "Cast", { to: 2 ** 31 - 1 }),
      nodeCase("an equation that is none", "Einsum", { equation: "ij,,->->(" }),
      nodeCase("an equation of 100,000 letters", "Einsum", { equation: "i".repeat(100_000) }),
      nodeCase("a grid of 2^40", "ConstantOfShape", {}, [integers("s", big)], ["s"]),
      nodeCase("a grid of -1", "ConstantOfShape", {}, [integers("s", -1)], ["s"]),
      nodeCase("a range with step 0", "Range", {}, [single("a", 0), single("b", 9), single("d", 0)], ["a", "b", "d"]),
      nodeCase("a range to 2^40", "Range", {}, [single("a", 0), single("b", big), single("d", 1)], ["a", "b", "d"]),
      nodeCase("blocks of 0", "SpaceToDepth", { blocksize: 0 }),
      nodeCase("no inputs at all", "MatMul", {}, [], []),
      nodeCase("a hundred inputs", "Relu", {}, [], Array<string>(100).fill("h")),
      nodeCase("an operator of another world", "launch_missiles"),
      nodeCase("an operator called __proto__", "__proto__"),
      nodeCase("an operator called constructor", "constructor"),
      onnxCase(
        "10,000 attributes",
        () => {
          const attribute = Array.from({ length: 10_000 }, (_, at) => ({ name: `a${at}`, type: 2, i: at }));
          return model({ node: [graph().node![0]!, { ...node("Relu", ["h"], ["y"]), attribute }] });
        },
        true,
      ),
    ],
  },
];
