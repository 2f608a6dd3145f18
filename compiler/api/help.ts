import type { Diagnostic } from "../../ir/diagnostic.ts";

/** Help by prefix of the code, for diagnostics without help of their own; longer prefixes first. */
const helpByCode: readonly (readonly [string, string])[] = [
  ["MRL0101", "check the path and the read permission of the file"],
  ["MRL011", "export the model again, or keep its data files in its own folder; `marillc check` lists all problems"],
  ["MRL010", "export the model again, or check that it was copied completely"],
  ["MRL013", "save the tensors again with safetensors, or check that the file was copied completely"],
  ["MRL014", "give the complete folder that PEFT's save_pretrained wrote for this base"],
  ["MRL015", 'give a .npy, .npz or ONNX TensorProto .pb file, or a .json file of tensors by name: {"x": [[1, 2]]}'],
  ["MRL02", "program.mir is written by `marillc compile`: compile again instead of editing it"],
  ["MRL03", "the rule is explained in ir/README.md under this code"],
  ["MRL04", "`marillc check` lists all blockers of a model"],
  ["MRL05", "calibrate on more representative public inputs (--calibrate), or lower the fractional bits (--precision)"],
  ["MRL066", "give a folder of .npz or .pb files, or a .jsonl file of prompts"],
  ["MRL06", "compile again with this version, and copy each party's folder completely"],
  ["MRL09", "do not run this build: compile again and compare; the rule is explained in docs/flow-checker.md"],
  ["MRL08", "`marillc --help` and `marillc <command> --help` show what is expected"],
];

/** Adds the help of its code to a diagnostic without help. */
export function withHelp<T extends Diagnostic>(diagnostic: T): T {
  if (diagnostic.help !== undefined) return diagnostic;
  const help = helpByCode.find(([code]) => diagnostic.code.startsWith(code))?.[1];
  return help === undefined ? diagnostic : { ...diagnostic, help };
}
