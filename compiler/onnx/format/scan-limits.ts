/** Limits of the scan: far above every real model, far below what exhausts the machine. */
export const scanLimits = {
  bytes: 2 ** 31 - 1, // protobuf's own limit
  depth: 64,
  messages: 2_000_000,
  fields: 8_000_000,
  /** Integers in lists: each becomes an object. Weights are stored as bytes. */
  integers: 8_000_000,
} as const;

const smallerGraph = "export a smaller graph: loops as Loop or Scan instead of unrolled, or the model in parts";

/** What exceeds a limit of the scan, and what its exporter can do. */
export const exceeded: Readonly<
  Record<Exclude<keyof typeof scanLimits, "bytes">, readonly [what: string, help: string]>
> = {
  depth: [
    `messages nest deeper than ${scanLimits.depth}`,
    "export branches and loops side by side, not inside each other",
  ],
  messages: [`more than ${scanLimits.messages} messages`, smallerGraph],
  fields: [`more than ${scanLimits.fields} fields`, smallerGraph],
  integers: [
    `more than ${scanLimits.integers} integers in lists`,
    "store each tensor as bytes: t.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(t), t.name))",
  ],
};
