import { writeBuild } from "../build/index.ts";
import { buildJson, buildText, generationText, omittedOutputsText } from "../report/text/index.ts";
import { type CommandResult, type CommandSpec, type Invocation, jsonOption } from "./command.ts";
import { loadCompiler } from "./load-compiler.ts";
import { linkOption, modelOptions, readCompileOptions } from "./model-options.ts";

export const compileCommand: CommandSpec = {
  name: "compile",
  summary: "compile a model to programs for the client, the server and the dealer",
  arguments: [{ name: "model.onnx", help: "the model" }],
  options: [
    { flags: "-o, --output <build-dir>", help: "where the build directory is written", required: true },
    ...modelOptions,
    linkOption,
    jsonOption,
  ],
  examples: [
    "marillc compile fixtures/date-llama/base-ts17.onnx -o build/date --adapter fixtures/date-llama/adapter --reveal logits:client --calibrate fixtures/date-llama/calibration.jsonl",
  ],
  run: compile,
};

async function compile({ args, options, progress }: Invocation): Promise<CommandResult> {
  const model = args[0]!;
  const target = options.text("output")!;
  const compileOptions = readCompileOptions(model, options);
  progress(`compiling ${model}`);
  const { compileModel } = await loadCompiler();
  const { manifest, files, decode, clientDecode, omittedOutputs } = compileModel(compileOptions);
  writeBuild(target, files);
  const sizes = [...files].map(([path, bytes]): [string, number] => [path, bytes.length]);
  const [decodeReason, clientReason] = [decode, clientDecode].map((made) =>
    made && "code" in made ? made.message : undefined,
  );
  const text = [
    buildText(manifest, sizes, target),
    omittedOutputsText(omittedOutputs),
    generationText(manifest, decodeReason, clientReason),
  ]
    .filter((part) => part !== "")
    .join("\n");
  return { json: { ...buildJson(manifest, sizes, target), notComputed: omittedOutputs }, text };
}
