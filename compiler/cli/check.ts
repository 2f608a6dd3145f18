import { statSync } from "node:fs";
import { usage } from "../api/index.ts";
import { checkFlow } from "./audit-build.ts";
import { checkModel } from "./check-model.ts";
import { type CommandResult, type CommandSpec, flagOf, type Invocation, jsonOption, optionKey } from "./command.ts";
import { linkOption, modelOptions } from "./model-options.ts";

const options = [
  ...modelOptions,
  linkOption,
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
  const given = options.map(flagOf).find((flag) => call.options.list(optionKey(flag)).length > 0);
  if (given) usage(`${given} applies to models: a build has fixed sizes and owners`);
  return checkFlow(path);
}
