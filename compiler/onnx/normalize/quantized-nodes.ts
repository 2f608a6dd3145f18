import type { Tensor } from "../../../ir/tensor.ts";
import { sizeOf } from "../../../ir/type.ts";
import { type Dtype, dtypeFromOnnx, encodeWeight, transpose } from "../../tensors/index.ts";
import { type OnnxModel, type OnnxNode, type OnnxTensor, readTensor } from "../format/index.ts";
import { dequantizeTensor, quantizeTensor, scaleGroups, unpackBits } from "./dequantize.ts";

/** Where a node's operands are looked up. */
export interface NodeSource {
  readonly model: OnnxModel;
  /** Tensors of the file by name. */
  readonly stored: ReadonlyMap<string, OnnxTensor>;
  readonly producers: ReadonlyMap<string, OnnxNode>;
}

/** The stored tensor of this name, or the one that it reshapes. */
function findStored(name: string, { stored, producers, model }: NodeSource): OnnxTensor | undefined {
  const maker = producers.get(name);
  if (maker?.op !== "Reshape" || maker.domain !== "") return stored.get(name);
  const [from, shape] = maker.inputs.map((input) => stored.get(input));
  if (!from || !shape) return undefined;
  const dims = [...readTensor(model, shape).data];
  const isPlain = dims.every((size) => size > 0) && sizeOf(dims) === sizeOf(from.dims);
  return isPlain ? { ...from, dims } : undefined;
}

/** A stored quantized weight that a node unpacks. */
export interface DequantizedWeight {
  /** Name of the tensor that holds its integers. */
  readonly sourceName: string;
  /** Key of its inputs: equal keys mean the same weight. */
  readonly key: string;
  readonly tensor: Omit<OnnxTensor, "name">;
  /** Stored tensors that it replaces. */
  readonly reads: readonly string[];
  /** Nodes that replace the node and read the unpacked tensor; absent: the node only unpacked it. */
  readonly nodes?: (name: string) => readonly OnnxNode[];
}

/** Undefined where an operand is not stored. Throws a plain Error that says what does not fit. */
type DequantizeNode = (node: OnnxNode, source: NodeSource) => DequantizedWeight | undefined;

const intAttribute = ({ attributes }: OnnxNode, name: string, absent: number): number => {
  const found = attributes.get(name);
  return found?.kind === "int" ? found.value : absent;
};

/** The stored tensors of these inputs; undefined where one of them is computed. An omitted input is null. */
function storedInputs(node: OnnxNode, indices: readonly number[], source: NodeSource) {
  const found = indices.map((index) => {
    const name = node.inputs[index] ?? "";
    return name === "" ? null : findStored(name, source);
  });
  return found.includes(undefined) ? undefined : (found as (OnnxTensor | null)[]);
}

const floatTypes: ReadonlySet<Dtype> = new Set(["float32", "float16", "bfloat16", "float64"]);

function computedTensor(dtype: Dtype, dims: readonly number[], numbers: () => Tensor): DequantizedWeight["tensor"] {
  if (!floatTypes.has(dtype)) throw new Error(`expected a float type, found ${dtype}`);
  return { dtype, dims, source: { kind: "computed", bytes: () => encodeWeight(dtype, numbers()) } };
}

const nodeKey = ({ op, domain, attributes }: OnnxNode, names: readonly string[]): string =>
  JSON.stringify([domain, op, names, [...attributes]]);

/** Integers that QuantizeLinear computes from a stored tensor: some tools leave the pair in the file. */
function quantizeLinear(node: OnnxNode, source: NodeSource): (() => Tensor) | undefined {
  const [x, scale, zero] = storedInputs(node, [0, 1, 2], source) ?? [];
  if (node.op !== "QuantizeLinear" || !x || !scale) return undefined;
  const ends = integerRange(zero ?? dtypeFromOnnx(intAttribute(node, "output_dtype", 0)) ?? "uint8");
  if (!ends) return undefined;
  const groups = scaleGroups(x.dims, scale.dims, intAttribute(node, "axis", 1), intAttribute(node, "block_size", 0));
  const read = (tensor: OnnxTensor): Tensor => readTensor(source.model, tensor);
  return () => quantizeTensor(read(x), { scales: read(scale), zeros: zero ? read(zero) : undefined, groups }, ends);
}

const integerRanges: Partial<Record<Dtype, readonly [number, number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
};

function integerRange(type: OnnxTensor | Dtype): readonly [number, number] | undefined {
  if (typeof type === "string") return integerRanges[type];
  if (!type.narrow) return integerRanges[type.dtype];
  const { widened, values } = type.narrow;
  return widened === "float32" ? undefined : [Math.min(...values), Math.max(...values)];
}

/**
 * Gathers rows of an integer table and unpacks them: this unpacks the table and gathers the same rows. Scales are a
 * scalar, or those of the last axis.
 */
function dequantizeGather(node: OnnxNode, source: NodeSource): DequantizedWeight | undefined {
  const gather = source.producers.get(node.inputs[0] ?? "");
  const [table, scale] =
    storedInputs({ ...node, inputs: [gather?.inputs[0] ?? "", ...node.inputs.slice(1)] }, [0, 1], source) ?? [];
  if (gather?.op !== "Gather" || gather.domain !== "" || !table || !scale) return undefined;
  const last = table.dims.length - 1;
  const isSingle = sizeOf(scale.dims) === 1;
  const isLast = scale.dims.length === 1 && scale.dims[0] === table.dims[last] && intAttribute(node, "axis", 1) === -1;
  if (!isSingle && (!isLast || last === 0 || intAttribute(gather, "axis", 0) !== 0)) return undefined;
  const [from = "", rows = ""] = gather.inputs;
  const dequantized = dequantizeLinear({ ...node, inputs: [from, ...node.inputs.slice(1)] }, source);
  if (!dequantized) return undefined;
  const nodes = (name: string): OnnxNode[] => [{ ...gather, inputs: [name, rows], outputs: node.outputs }];
  return {
    ...dequantized,
    key: nodeKey(node, [from, ...node.inputs.slice(1)]),
    reads: [...dequantized.reads, node.inputs[0]!],
    nodes,
  };
}

function dequantizeLinear(node: OnnxNode, source: NodeSource): DequantizedWeight | undefined {
  const gathered = dequantizeGather(node, source);
  if (gathered) return gathered;
  const read = (tensor: OnnxTensor): Tensor => readTensor(source.model, tensor);
  const [x = ""] = node.inputs;
  const maker = source.producers.get(x);
  const own = source.stored.get(x);
  const integers = own ? () => read(own) : maker && quantizeLinear(maker, source);
  const [scale, zero] = storedInputs(node, [1, 2], source) ?? [];
  if (!integers || !scale) return undefined;
  const from = own ? x : maker!.inputs[0]!;
  const { dims } = source.stored.get(from)!;
  const groups = scaleGroups(dims, scale.dims, intAttribute(node, "axis", 1), intAttribute(node, "block_size", 0));
  if (zero && sizeOf(zero.dims) !== sizeOf(scale.dims)) throw new Error("expected as many zero points as scales");
  const dtype = dtypeFromOnnx(intAttribute(node, "output_dtype", 0)) ?? scale.dtype;
  const tensor = computedTensor(dtype, dims, () =>
    dequantizeTensor(integers(), { scales: read(scale), zeros: zero ? read(zero) : undefined, groups }),
  );
  const reads = [...node.inputs, ...(own ? [] : maker!.inputs)];
  return { sourceName: from, key: nodeKey(node, node.inputs), tensor, reads };
}

/** Scales and zero points of rows of blocks; zero points below one byte are packed row by row. */
function blockGroups(
  { model }: NodeSource,
  scale: OnnxTensor,
  zero: OnnxTensor | null | undefined,
  [rows, count]: readonly [number, number],
  bits: number,
  absent: number,
) {
  if (sizeOf(scale.dims) !== rows * count) throw new Error(`expected ${rows}·${count} scales, found [${scale.dims}]`);
  const packed = zero?.dtype === "uint8" && !zero.narrow;
  const wanted = packed ? rows * Math.ceil((count * bits) / 8) : rows * count;
  if (zero && sizeOf(zero.dims) !== wanted) throw new Error(`expected ${wanted} zero points, found [${zero.dims}]`);
  return (): { readonly scales: Tensor; readonly zeros: Tensor } => {
    const scales = readTensor(model, scale);
    const shape = scales.shape;
    if (!zero) return { scales, zeros: { shape, data: new Float64Array(rows * count).fill(absent) } };
    const points = readTensor(model, zero);
    return { scales, zeros: { shape, data: packed ? unpackBits(points, bits, rows, count) : points.data } };
  };
}

function readBits(node: OnnxNode): number {
  const bits = intAttribute(node, "bits", 4);
  if (![2, 4, 8].includes(bits)) throw new Error(`bits = ${bits}: expected 2, 4 or 8`);
  return bits;
}

/** B is [N, blocks along K, packed bytes of a block]: x·B' with B' [K, N]. g_idx gives each of K its block. */
function matMulNBits(node: OnnxNode, source: NodeSource): DequantizedWeight | undefined {
  const [b, scale, zero, order] = storedInputs(node, [1, 2, 3, 4], source) ?? [];
  if (!b || !scale) return undefined;
  const [inner, outer, size] = ["K", "N", "block_size"].map((name) => intAttribute(node, name, 0)) as [
    number,
    number,
    number,
  ];
  const bits = readBits(node);
  if (!(inner > 0 && outer > 0 && size > 0)) throw new Error("expected K, N and block_size");
  if (intAttribute(node, "weight_prepacked", 0) !== 0) throw new Error("weights in a kernel-specific layout");
  const count = Math.ceil(inner / size);
  const bytes = outer * count * Math.ceil((size * bits) / 8);
  if (sizeOf(b.dims) !== bytes) throw new Error(`expected ${bytes} bytes of weights, found [${b.dims}]`);
  const grid = blockGroups(source, scale, zero, [outer, count], bits, 2 ** (bits - 1));
  const groupOf = order ? explicitGroups(readTensor(source.model, order), inner, count) : undefined;
  const groups = { axis: 1, count, groupOf: groupOf ?? ((k: number) => Math.floor(k / size)) };
  const tensor = computedTensor(scale.dtype, [inner, outer], () => {
    const q = { shape: [outer, inner], data: unpackBits(readTensor(source.model, b), bits, outer, inner) };
    return transpose(dequantizeTensor(q, { ...grid(), groups }));
  });
  const [a = "", , , , , bias = ""] = node.inputs;
  const nodes = (name: string): OnnxNode[] => {
    const product = { ...node, op: "MatMul", domain: "", inputs: [a, name], attributes: new Map() };
    if (bias === "") return [product];
    const sum = `${node.outputs[0]}.product`;
    const added = { ...product, name: `${node.name}/Add`, op: "Add", inputs: [sum, bias] };
    return [{ ...product, outputs: [sum] }, added];
  };
  const names = node.inputs.slice(1, 5);
  return { sourceName: node.inputs[1]!, key: nodeKey(node, names), tensor, reads: names, nodes };
}

function explicitGroups({ data }: Tensor, inner: number, count: number): (k: number) => number {
  const fits = data.length === inner && data.every((group) => Number.isInteger(group) && group >= 0 && group < count);
  if (!fits) throw new Error(`expected g_idx with ${inner} groups below ${count}`);
  return (k) => data[k]!;
}

/**
 * An embedding that is also the head's matrix, as the model builder writes tied embeddings: both read one stored tensor
 * and are one weight, as rows of the table are columns of the matrix.
 */
function tiedEmbedding(node: OnnxNode, data: OnnxTensor, source: NodeSource): DequantizedWeight | undefined {
  const [, , scale, zero = ""] = node.inputs;
  const isHead = ({ op, inputs: [, b, scales, points = ""] }: OnnxNode): boolean =>
    op === "MatMulNBits" && b === data.name && scales === scale && points === zero;
  const head = source.model.graph.nodes.find(isHead);
  const same = (name: string, other = name): boolean =>
    head !== undefined && intAttribute(head, name, 0) === intAttribute(node, other, 0);
  if (!head || !same("bits") || !same("block_size") || intAttribute(node, "gather_axis", 0) !== 0) return undefined;
  const matrix = matMulNBits(head, source);
  if (!matrix || intAttribute(head, "N", 0) !== data.dims[0]) return undefined;
  const perm: OnnxNode["attributes"] = new Map([["perm", { kind: "ints", value: [1, 0] }]]);
  const rows = `${node.outputs[0]}.table`;
  const nodes = (name: string): OnnxNode[] => [
    {
      ...node,
      name: `${node.name}/Transpose`,
      op: "Transpose",
      domain: "",
      inputs: [name],
      outputs: [rows],
      attributes: perm,
    },
    { ...node, op: "Gather", domain: "", inputs: [rows, node.inputs[1] ?? ""], attributes: new Map() },
  ];
  return { ...matrix, reads: [...matrix.reads, node.inputs[0]!], nodes };
}

/** Rows of a quantized table: unpack the table, then Gather. */
function gatherBlockQuantized(node: OnnxNode, source: NodeSource): DequantizedWeight | undefined {
  const [data, , scale, zero] = storedInputs({ ...node, inputs: node.inputs.with(1, "") }, [0, 1, 2, 3], source) ?? [];
  if (!data || !scale) return undefined;
  const tied = tiedEmbedding(node, data, source);
  if (tied) return tied;
  const packed = data.dtype === "uint8" && !data.narrow;
  const bits = packed ? readBits(node) : 8;
  const dims = data.dims.map((dim, at) => (packed && at === data.dims.length - 1 ? (dim * 8) / bits : dim));
  const last = dims.length - 1;
  const axis = intAttribute(node, "quantize_axis", 1);
  const size = intAttribute(node, "block_size", 128);
  if (axis !== last && axis !== -1) throw new Error(`quantize_axis = ${axis}: expected the last`);
  const groups = scaleGroups(dims, scale.dims, last, size);
  const rows = sizeOf(dims.slice(0, -1));
  const grid = blockGroups(
    source,
    scale,
    zero,
    [rows, Math.ceil(dims[last]! / size)],
    bits,
    packed ? 2 ** (bits - 1) : 0,
  );
  const tensor = computedTensor(scale.dtype, dims, () => {
    const read = readTensor(source.model, data);
    const q = { shape: dims, data: packed ? unpackBits(read, bits, rows, dims[last]!) : read.data };
    return dequantizeTensor(q, { ...grid(), groups });
  });
  const attributes: OnnxNode["attributes"] = new Map([
    ["axis", { kind: "int", value: intAttribute(node, "gather_axis", 0) }],
  ]);
  const nodes = (name: string): OnnxNode[] => [
    { ...node, op: "Gather", domain: "", inputs: [name, node.inputs[1] ?? ""], attributes },
  ];
  const names = [node.inputs[0]!, ...node.inputs.slice(2)];
  return { sourceName: names[0]!, key: nodeKey(node, names), tensor, reads: names, nodes };
}

const dequantizers: Readonly<Record<string, DequantizeNode>> = {
  DequantizeLinear: dequantizeLinear,
  "com.microsoft.DequantizeLinear": dequantizeLinear,
  "com.microsoft.MatMulNBits": matMulNBits,
  "com.microsoft.GatherBlockQuantized": gatherBlockQuantized,
};

export function dequantizerOf({ op, domain }: OnnxNode): DequantizeNode | undefined {
  const key = domain === "" ? op : `${domain}.${op}`;
  return Object.hasOwn(dequantizers, key) ? dequantizers[key] : undefined;
}
