import type { Tensor } from "../../ir/tensor.ts";
import {
  innerGraphNames,
  isMatrixProduct,
  type ModelWeight,
  modulePathOf,
  sameTensor,
  type WeightCatalog,
} from "../onnx/weights/index.ts";
import { type Dtype, transpose } from "../tensors/index.ts";
import type { BaseModel } from "./base-model.ts";
import { countDifferences } from "./weight-digests.ts";

/** Matches weights of a model to base tensors where values alone do not decide. */
export interface BaseMatching {
  /**
   * Whether a weight may be the base tensor of this name: no other weight is it, except an embedding with a tied head.
   */
  readonly isAvailable: (weight: ModelWeight) => (name: string) => boolean;
  /** Records that values identified a base tensor for a weight. */
  readonly claim: (name: string) => void;
  /**
   * For a tensor with several uses whose parameters the file does not name: a base tensor of this shape with other
   * values that no weight of the model claims. The use may be a private one.
   */
  readonly rivalTensor: (weight: ModelWeight, own: Tensor) => string | undefined;
}

export function createBaseMatching({ weights, model }: WeightCatalog, base: BaseModel): BaseMatching {
  const { nodes } = model.graph;
  const all = [...weights.values()];
  /** Names that a file invents for unnamed tensors claim nothing. */
  const owners = new Map(all.flatMap(({ recovered, source }) => (recovered ? [[recovered.name, source.name]] : [])));
  const names = new Set(all.flatMap(({ recovered, name, source }) => [recovered?.name ?? name, source.name]));
  const taken = new Set<string>();
  const reads = (of: (node: (typeof nodes)[number]) => boolean): ReadonlySet<string> =>
    new Set(nodes.filter(of).flatMap(({ inputs }) => inputs));
  const lookedUp = reads(({ op }) => op === "Gather");
  const turned = new Set(nodes.flatMap(({ op, inputs }) => (op === "Transpose" ? inputs : [])));
  const multiplied = reads(isMatrixProduct);
  const isTable = (name: string): boolean => lookedUp.has(name);
  const isHead = (name: string): boolean => multiplied.has(name) || turned.has(name);
  const isTied = (a: string, b: string): boolean => (isTable(a) && isHead(b)) || (isTable(b) && isHead(a));
  const unscopedUses = new Map<string, number>();
  for (const node of nodes) {
    const read = modulePathOf(node, []) === undefined ? node.inputs : [];
    for (const name of [...read, ...innerGraphNames(node)]) unscopedUses.set(name, (unscopedUses.get(name) ?? 0) + 1);
  }
  /** A base tensor that no weight claims, of this shape, with other values. */
  const otherThan = (own: Tensor, dtype: Dtype): string | undefined =>
    base.withShape(own.shape).find(({ name, tensor }) => !names.has(name) && !isSameUpToTranspose(own, tensor, dtype))
      ?.name;
  return {
    claim: (name) => void taken.add(name),
    isAvailable:
      ({ source, tensor }) =>
      (name) => {
        const owner = owners.get(name);
        if (owner === undefined) return !taken.has(name);
        if (owner === source.name) return true;
        return isTied(owner, source.name) && otherThan(tensor(), source.dtype) === undefined;
      },
    rivalTensor: ({ source }, own) =>
      (unscopedUses.get(source.name) ?? 0) < 2 ? undefined : otherThan(own, source.dtype),
  };
}

/** Also compares with the transpose. */
function isSameUpToTranspose(own: Tensor, other: Tensor, dtype: Dtype): boolean {
  const turned = other.shape.length === 2 ? [other, transpose(other)] : [other];
  return turned.some(
    (each) =>
      sameTensor(own, each) || (countDifferences(own, each, dtype) === 0 && own.shape.join() === each.shape.join()),
  );
}
