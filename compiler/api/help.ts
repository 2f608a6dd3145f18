import type { Diagnostic } from "../../ir/diagnostic.ts";

const jsonTensors = '{"x": [[1, 2]]}';
const exportAgain =
  "export the model again with a current version of its exporter, or check that it was copied completely";

/** Help by prefix of the code, for diagnostics without help of their own; longer prefixes first. */
const helpByCode: readonly (readonly [string, string])[] = [
  ["MRL0101", "check the path and the read permission of the file"],
  ["MRL0108", "export the model again with a current exporter, for operator set 17"],
  ["MRL0116", "put the data files into the model's folder: onnx.save(model, path, save_as_external_data=True)"],
  [
    "MRL0117",
    "copy the model's data files along with it, or write them again: onnx.save(…, save_as_external_data=True)",
  ],
  ["MRL0118", "use integers below 2^53 in the model"],
  ["MRL0119", "quantize the model again, with 2, 4 or 8 bits"],
  ["MRL0120", "report it: the compiler chooses cuts"],
  ["MRL010", exportAgain],
  ["MRL011", exportAgain],
  ["MRL0135", "copy the file to this place, or give the path that the link leads to"],
  ["MRL013", "save the tensors again with safetensors, or check that the file was copied completely"],
  ["MRL014", "give the complete folder that PEFT's save_pretrained wrote for this base"],
  ["MRL015", `give a .npy, .npz or ONNX TensorProto .pb file, or a .json file of tensors by name: ${jsonTensors}`],
  ["MRL02", "program.mir is written by `marillc compile`: compile again instead of editing it"],
  ["MRL0393", "give other inputs, or correct the node: no operator has an answer for these numbers"],
  ["MRL039", "supply the tensor in the declared shape, within its declared range"],
  ["MRL03", "the rule is explained in ir/README.md under this code"],
  ["MRL0402", "export the model with the shapes of its inputs"],
  ["MRL0403", "give one size for each dimension: `marillc check <model>` without --dim names the open ones"],
  ["MRL0404", "replace the node in the model, or export it in another form: the message says what in it"],
  ["MRL0405", "export the model with inputs of float32, or of int64 for token numbers"],
  ["MRL0407", "give smaller sizes: --dim <name>=<size>"],
  ["MRL0409", "leave out this --fix: it fixes inputs of integers or booleans"],
  ["MRL0433", "export the model with a stored tensor for each of its parameters, instead of one for many"],
  ["MRL0490", "make the exponent a constant of the model, or write e^(y·ln x): Exp(Mul(y, Log(x)))"],
  ["MRL04", "`marillc check` lists all blockers of a model"],
  ["MRL05", "calibrate on more representative public inputs (--calibrate), or lower the fractional bits (--precision)"],
  ["MRL0666", "give a file that `marillc compile … --write-ranges <file>` wrote, or write one: docs/ranges.md"],
  ["MRL066", "give a folder of .npz or .pb files, or a .jsonl file of prompts: --calibrate <path>"],
  ["MRL067", "copy the tokenizer files of the model again: tokenizer.json and tokenizer_config.json"],
  ["MRL068", "leave out the option for this model, or export the model in another form"],
  ["MRL06", "compile again with this version, and copy each party's folder completely"],
  ["MRL0812", "give the tensors that `marillc inspect <build-dir>` shows, or compile for other sizes with --dim"],
  ["MRL0813", "give indices within the range that the message names"],
  ["MRL0820", "run the model on tensors instead: marillc run <build-dir> --input <name>=<file>"],
  ["MRL08", "`marillc --help` and `marillc <command> --help` show what is expected"],
  ["MRL09", "do not run this build: compile again and compare; the rule is explained in docs/flow-checker.md"],
];

/** Adds the help of its code to a diagnostic without help. */
export function withHelp<T extends Diagnostic>(diagnostic: T): T {
  if (diagnostic.help !== undefined) return diagnostic;
  const help = helpByCode.find(([code]) => diagnostic.code.startsWith(code))?.[1];
  return help === undefined ? diagnostic : { ...diagnostic, help };
}
