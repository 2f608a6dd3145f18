import { onnxFields, splitFields, stringsOf } from "../onnx/format/index.ts";
import { readWholeFile } from "../tensors/files/index.ts";
import type { TypedTensor } from "../tensors/index.ts";

/** Field numbers of NodeProto. */
const { input: inputField, output: outputField } = onnxFields.node;
const operatorField = 4;

/** Operators whose result has the numbers of their first input. */
const passing: ReadonlySet<string> = new Set([
  "Cast",
  "Flatten",
  "Identity",
  "Reshape",
  "Slice",
  "Squeeze",
  "Transpose",
  "Unsqueeze",
]);

const mostBytes = 2 ** 32 - 2;

/**
 * A negative number in an input whose numbers select rows of a table. ONNX counts it from the end of the table, so that
 * -1 is the last token: nobody who asks about a text means that. The file is read only where a number is negative.
 */
export function negativeIndex(file: string, inputs: ReadonlyMap<string, TypedTensor>): string | undefined {
  const negative = [...inputs].flatMap(([name, { dtype, tensor }]): (readonly [string, number])[] => {
    const found = dtype.startsWith("int") ? tensor.data.find((x) => x < 0) : undefined;
    return found === undefined ? [] : [[name, found]];
  });
  if (negative.length === 0) return undefined;
  const indices = indexInputs(readWholeFile(file, mostBytes), new Set(negative.map(([name]) => name)));
  const strayed = negative.find(([name]) => indices.has(name));
  return strayed && `input "${strayed[0]}" selects rows of a table, which count from 0, and has ${strayed[1]}`;
}

/** Those of `names` that select rows as they are. The nodes of a file are in order. */
function indexInputs(model: Uint8Array, names: ReadonlySet<string>): ReadonlySet<string> {
  const messages = (bytes: Uint8Array, number: number): readonly Uint8Array[] =>
    splitFields(bytes).flatMap((field) => (field.number === number ? [field.body] : []));
  /** The input whose numbers a value has. */
  const origin = new Map([...names].map((name) => [name, name]));
  const found = new Set<string>();
  const [graph] = messages(model, onnxFields.model.graph);
  for (const node of graph ? messages(graph, onnxFields.graph.node) : []) {
    const [operator] = stringsOf(node, operatorField);
    const read = stringsOf(node, inputField);
    const selected = operator === "Gather" ? origin.get(read[1] ?? "") : undefined;
    if (selected !== undefined) found.add(selected);
    const passed = passing.has(operator ?? "") ? origin.get(read[0] ?? "") : undefined;
    if (passed !== undefined) for (const output of stringsOf(node, outputField)) origin.set(output, passed);
  }
  return found;
}
