import { statSync } from "node:fs";
import { checkFlow } from "./audit-build.ts";
import { checkModel } from "./check-model.ts";
import { type CommandResult, type CommandSpec, type Invocation, jsonOption } from "./command.ts";
import { linkOption, modelOptions, refuseForBuild, verifyOptions } from "./model-options.ts";

const options = [
  ...modelOptions,
  linkOption,
  ...verifyOptions,
  {
    flags: "--annotate <out.onnx>",
    help: "write a copy of the model whose node metadata says who knows each result, its protocol and its cost",
  },
];

export const checkCommand: CommandSpec = {
  name: "check",
  summary: "report whether a model can be compiled, with all blockers; or audit who learns what in a build",
  arguments: [{ name: "model.onnx", help: "a model, a build directory, or one party's folder" }],
  options: [...options, jsonOption],
  examples: [
    "marillc check fixtures/date-llama/base-ts17.onnx",
    "marillc check fixtures/date-llama/base-ts17-seq.onnx --dim seq=48",
    "marillc check build/date",
  ],
  run: check,
};

async function check(call: Invocation): Promise<CommandResult> {
  const path = call.args[0]!;
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return await checkModel(path, call);
  refuseForBuild(call.options, options);
  return checkFlow(path);
}
