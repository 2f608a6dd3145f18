import type { Diagnostic } from "../../ir/diagnostic.ts";
import { presets } from "../../passes/3-approximate/index.ts";
import { type AdapterChoice, isOnnxAdapter } from "../adapters/index.ts";
import type { CompileOptions } from "./compile-options.ts";
import { objectives, qualityNames, resolveTarget } from "./resolve-target.ts";

/** An option with a fixed list of values. */
interface Choice {
  /** The option of the command line, without its dashes. */
  readonly flag: string;
  /** Values that this version supports; the first is the default. */
  readonly values: readonly string[];
  readonly given: (options: CompileOptions) => string | undefined;
}

const choices: readonly Choice[] = [
  { flag: "setting", values: ["2pc-dealer", "3pc"], given: ({ target }) => target?.setting },
  { flag: "truncation", values: ["fast", "exact"], given: ({ target }) => target?.truncation },
  { flag: "preset", values: ["marill", ...presets.keys()], given: ({ target }) => target?.preset },
  { flag: "objective", values: objectives, given: ({ target }) => target?.objective },
  { flag: "quality", values: qualityNames, given: ({ target }) => target?.quality },
  { flag: "head", values: ["logits", "token"], given: (options) => options.interface?.head },
];

/** Values that are not implemented: they are refused, never ignored. */
export const choiceProblems = (options: CompileOptions): readonly Diagnostic[] =>
  choices.flatMap(({ flag, values, given }): readonly Diagnostic[] => {
    const value = given(options);
    if (value === undefined || values.includes(value)) return [];
    const message = `--${flag} ${value} is not supported by this version`;
    return [{ code: "MRL0650", message, help: `supported: ${values.join(", ")}` }];
  });

export function presetProblems({
  target,
  interface: { buckets = [], reveal = [], owners = {} } = {},
}: CompileOptions): readonly Diagnostic[] {
  const { preset, setting } = resolveTarget(target);
  if (!preset) return [];
  const problems: Diagnostic[] = [];
  if (!preset.settings.includes(setting)) {
    problems.push({
      code: "MRL0650",
      message: `--preset ${preset.name} does not run in the setting ${setting}`,
      help: `give --setting ${preset.settings.join(" or ")}`,
    });
  }
  if (target?.quality !== undefined) {
    problems.push({
      code: "MRL0650",
      message: `--quality does not work with --preset ${preset.name}, which has the bits of its publication`,
      help: "leave out --quality or --preset; --precision changes single bits of a preset",
    });
  }
  const passing = [
    ...reveal.flatMap(({ output, to }) => (to === "shared" ? [`--reveal ${output}:shared`] : [])),
    ...Object.entries(owners).flatMap(([name, owner]) => (owner === "shared" ? [`--input ${name}:shared`] : [])),
  ];
  if (passing.length > 0) {
    problems.push({
      code: "MRL0656",
      message: `${passing.join(" and ")} does not work with --preset ${preset.name}: shares pass between programs in a ring of 53 bits, and this system has one ring of its own`,
      help: "leave out --preset, or reveal the value to a party",
    });
  }
  if (buckets.length > 0) {
    problems.push({
      code: "MRL0656",
      message: `--buckets does not work with --preset ${preset.name}, which is published for whole windows`,
      help: "leave out --buckets or --preset",
    });
  }
  if (target?.guard) {
    problems.push({
      code: "MRL0656",
      message: `--guard does not work with --preset ${preset.name}, which is published without range checks`,
      help: "leave out --guard or --preset",
    });
  }
  return problems;
}

/** PEFT folders only, and no folder twice in a sum. */
function severalProblems(adapters: readonly AdapterChoice[]): readonly Diagnostic[] {
  const files = adapters.flatMap(({ folders }) => folders.filter(isOnnxAdapter));
  const repeated = adapters.filter(({ folders }) => new Set(folders).size < folders.length);
  return [
    ...files.map((file) => ({
      code: "MRL0436",
      message: `${file}: adapters of ONNX Runtime are inputs of the model, so there is one of them`,
      help: "give PEFT folders, or this file alone",
    })),
    ...repeated.map(({ folders }) => ({
      code: "MRL0437",
      message: `the sum ${folders.join("+")} has a folder twice; PEFT has each adapter once`,
      help: "name each folder once",
    })),
  ];
}

export function adapterProblems({ weights = {} }: CompileOptions): readonly Diagnostic[] {
  const { base, adapter, adapters = [], baseAdapter, mergedLora } = weights;
  const problems: Diagnostic[] = [...severalProblems(adapters)];
  if (baseAdapter !== undefined && adapters.length > 0) {
    problems.push({
      code: "MRL0438",
      message: "--base-adapter belongs to one adapter, and several are given",
      help: "compile with one --adapter, or leave out --base-adapter",
    });
  }
  if (baseAdapter !== undefined && adapter === undefined) {
    problems.push({
      code: "MRL0653",
      message: "--base-adapter needs an adapter that started from it, and none is given",
      help: "add the private adapter: --adapter <peft-dir>",
    });
  }
  if (baseAdapter !== undefined && isOnnxAdapter(adapter ?? "")) {
    problems.push({
      code: "MRL0655",
      message: "--base-adapter works with PEFT adapters only",
      help: "give PEFT folders for both adapters, or leave out --base-adapter",
    });
  }
  if (mergedLora && (base === undefined || adapter !== undefined)) {
    problems.push({
      code: "MRL0654",
      message:
        "--merged-lora extracts adapters from a model that they were merged into: it needs --base and no --adapter",
      help: "add --base <model before merging>; to use an adapter folder, compile the base model with --adapter",
    });
  }
  return problems;
}

export function rangeProblems({ calibration: { margin } = {} }: CompileOptions): readonly Diagnostic[] {
  if (margin === undefined || (margin >= 1 && margin <= 1024)) return [];
  const help = `give --margin ${margin > 1024 ? 1024 : 1}, or leave it out for the default`;
  return [{ code: "MRL0651", message: `expected a factor of 1 to 1024 for --margin, found ${margin}`, help }];
}
