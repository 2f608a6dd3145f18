import type { Diagnostic } from "../../ir/diagnostic.ts";

/** What to do, by the beginning of a code, where the diagnostic itself knows nothing more particular; longest first. */
const helpByCode: readonly (readonly [string, string])[] = [
  ["MRL0101", "check the path, and that the file may be read"],
  [
    "MRL011",
    "export the model again, or keep its data files in its own folder; `marillc check` lists all that is wrong",
  ],
  ["MRL010", "export the model again, or check that it was copied whole"],
  ["MRL013", "save the tensors again with safetensors, or check that the file was copied whole"],
  ["MRL014", "give the folder that PEFT's save_pretrained wrote, whole and for this base"],
  ["MRL015", "give a .npy, .npz, .json or ONNX TensorProto .pb file"],
  ["MRL02", "program.mir is written by `marillc compile`: compile again instead of editing it"],
  ["MRL03", "the rule is explained in ir/README.md under this code"],
  ["MRL04", "`marillc check` lists all that stands against a model"],
  ["MRL05", "calibrate on more representative public inputs (--calibrate), or lower the fractional bits (--precision)"],
  ["MRL066", "give a folder of .npz or .pb files, or a .jsonl file of prompts"],
  ["MRL06", "compile again with this version, and hand out each party's folder whole"],
  ["MRL09", "do not run this build: compile again, and compare; the rule is explained in docs/flow-checker.md"],
  ["MRL08", "`marillc --help` and `marillc <command> --help` show what is expected"],
];

/** The diagnostic with a help line: its own, or the one of its code. */
export function withHelp<T extends Diagnostic>(diagnostic: T): T {
  if (diagnostic.help !== undefined) return diagnostic;
  const help = helpByCode.find(([code]) => diagnostic.code.startsWith(code))?.[1];
  return help === undefined ? diagnostic : { ...diagnostic, help };
}
