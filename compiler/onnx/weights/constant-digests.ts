import { createHash } from "node:crypto";
import { sizeOf } from "../../../ir/type.ts";
import { type OnnxNode, type OnnxTensor, tensorBytes } from "../format/index.ts";
import { elementOfDtype, storedTensors, type WeightCatalog } from "./catalog-weights.ts";

export interface ConstantDigest {
  readonly name: string;
  readonly shape: readonly number[];
  /** SHA-256 of the elements as stored in an ONNX file. */
  readonly sha256: string;
}

/** Shapes, axes and scalars reveal only the architecture; whoever checks a build gets the digests of larger tables. */
const isConstantTable = ({ dtype, dims }: OnnxTensor): boolean =>
  sizeOf(dims) > (elementOfDtype(dtype).kind === "f32" ? 1 : 16);

/** Tables of the graph that belong to nobody: positions, masks. */
export function constantDigests(catalog: WeightCatalog): readonly ConstantDigest[] {
  const { model, constants } = catalog;
  const tensors = storedTensors(model)
    .filter((tensor) => constants.has(tensor.name) && isConstantTable(tensor))
    .map((tensor) => ({ name: tensor.name, shape: tensor.dims, sha256: digest(tensorBytes(model, tensor)) }));
  return [...tensors, ...model.graph.nodes.flatMap(listConstants)];
}

/** Lists in attributes are tables as well, under the name of the node's output. */
function listConstants({ attributes, outputs }: OnnxNode): readonly ConstantDigest[] {
  return [...attributes.values()].flatMap((attribute) => {
    if (attribute.kind !== "floats" && attribute.kind !== "ints") return [];
    const { kind, value } = attribute;
    if (value.length <= (kind === "floats" ? 1 : 16)) return [];
    const numbers = kind === "floats" ? Float32Array.from(value) : BigInt64Array.from(value, BigInt);
    return [{ name: outputs[0] ?? "", shape: [value.length], sha256: digest(new Uint8Array(numbers.buffer)) }];
  });
}

const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
