import { statSync } from "node:fs";
import { usage } from "../api/index.ts";
import { checkFlow } from "./audit-build.ts";
import { checkModel } from "./check-model.ts";
import { type CommandResult, type CommandSpec, type Invocation, jsonOption } from "./command.ts";
import { linkOption, modelOptions } from "./model-options.ts";

const options = [
  ...modelOptions,
  linkOption,
  {
    flags: "--annotate <out.onnx>",
    help: "write a copy of the model that says beside each node who knows its result, its protocol and its cost",
  },
];

export const checkCommand: CommandSpec = {
  name: "check",
  summary:
    "say whether a model can be compiled, or who learns what in a build, and name everything that stands against it",
  arguments: [{ name: "model.onnx", help: "the model; or a build directory, or one party's folder of it" }],
  options: [...options, jsonOption],
  examples: [
    "marillc check fixtures/date-llama/base-ts17.onnx",
    "marillc check fixtures/date-llama/base-ts17-seq.onnx --dim seq=48",
    "marillc check build/date",
  ],
  run: check,
};

/** `--low-rank <r>` as options are asked for: lowRank. */
const optionKey = (flags: string): string =>
  flags
    .split(" ")[0]!
    .slice(2)
    .replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

async function check(call: Invocation): Promise<CommandResult> {
  const path = call.args[0]!;
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return await checkModel(path, call);
  const given = options.find(({ flags }) => call.options.list(optionKey(flags)).length > 0);
  if (given)
    usage(`${given.flags.split(" ")[0]} is for models: the programs of a build have all their sizes and owners`);
  return checkFlow(path);
}
