import type { Dtype, NarrowType } from "../../tensors/index.ts";

/**
 * A decoded model: plain data, without protobuf objects and without a prototype that a name of the file could reach.
 */
export interface OnnxModel {
  readonly file: string;
  readonly irVersion: number;
  /** Domain to version; the default domain is "". */
  readonly opsets: ReadonlyMap<string, number>;
  readonly producer: string;
  readonly metadata: OnnxMetadata;
  readonly graph: OnnxGraph;
}

export type OnnxMetadata = ReadonlyMap<string, string>;

export interface OnnxGraph {
  readonly name: string;
  /** In topological order. */
  readonly nodes: readonly OnnxNode[];
  readonly initializers: ReadonlyMap<string, OnnxTensor>;
  readonly inputs: readonly OnnxValueInfo[];
  readonly outputs: readonly OnnxValueInfo[];
  readonly valueInfo: ReadonlyMap<string, OnnxValueInfo>;
  readonly metadata: OnnxMetadata;
}

export interface OnnxNode {
  /** The name in the file, or for an unnamed node `<operator>:<first output>`. */
  readonly name: string;
  readonly op: string;
  /** "" for the default domain, also where the file says `ai.onnx`. */
  readonly domain: string;
  /** "" stands for an omitted optional input. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, OnnxAttribute>;
  readonly metadata: OnnxMetadata;
}

/** int64 beyond 2^53 that mean "to the end" are clamped: see `safeIntegerOf` in compiler/tensors. */
export type OnnxAttribute =
  | { readonly kind: "int" | "float"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "ints" | "floats"; readonly value: readonly number[] }
  | { readonly kind: "strings"; readonly value: readonly string[] }
  | { readonly kind: "tensor"; readonly value: OnnxTensor }
  | { readonly kind: "graph"; readonly value: OnnxGraph }
  /** Sparse tensors, types, and lists of tensors or graphs: named here so that a preflight can list them all. */
  | { readonly kind: "unsupported"; readonly value: string };

export interface OnnxTensor {
  readonly name: string;
  readonly dtype: Dtype;
  readonly dims: readonly number[];
  readonly source: TensorSource;
  /** Name of the stored tensor that it was computed from; absent: its own. */
  readonly originalName?: string;
  /** The type in the file, where elements are widened to `dtype` on reading. */
  readonly narrow?: NarrowType;
}

export type TensorSource =
  /** Little-endian elements without gaps. */
  | { readonly kind: "inline"; readonly bytes: Uint8Array }
  /** `location` is as the file gives it: relative, with `/`, beneath the model's folder. */
  | { readonly kind: "external"; readonly location: string; readonly offset: number; readonly length: number }
  /** Made of other tensors each time that they are read: quantised weights would take several times the file's size. */
  | { readonly kind: "computed"; readonly bytes: () => Uint8Array };

export interface OnnxValueInfo {
  readonly name: string;
  readonly kind: "tensor" | "sequence" | "map" | "optional" | "sparse" | "unknown";
  /** Absent: not given, or a type that the compiler does not read. */
  readonly dtype: Dtype | undefined;
  /** Absent: the rank is unknown. A dimension is a size, a symbol, or unknown. */
  readonly dims: readonly (number | string | undefined)[] | undefined;
  readonly metadata: OnnxMetadata;
}
