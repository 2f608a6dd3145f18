import { printableData } from "../../ir/printable.ts";
import { type CompileResult, compileGuarded, given } from "../api/index.ts";
import { buildText, generationText, omittedOutputsText, verifiedText } from "../report/text/index.ts";
import { type CommandResult, type CommandSpec, type Invocation, jsonOption } from "./command.ts";
import { linkedOptionsOf, linkOption, modelOptions, verifyOptions } from "./model-options.ts";

export const compileCommand: CommandSpec = {
  name: "compile",
  summary: "compile a model to programs for the client, the server and the dealer",
  arguments: [{ name: "model.onnx", help: "the model" }],
  options: [
    { flags: "-o, --output <build-dir>", help: "build directory to write", required: true },
    ...modelOptions,
    linkOption,
    ...verifyOptions,
    { flags: "--write-ranges <file>", help: "write the bounds of all shared values, for --ranges: the file is public" },
    jsonOption,
  ],
  examples: [
    "marillc compile fixtures/date-llama/base-ts17.onnx -o build/date --adapter fixtures/date-llama/adapter --reveal logits:client --calibrate fixtures/date-llama/calibration.jsonl",
  ],
  run: compileModel,
};

async function compileModel({ args, options, progress, io }: Invocation): Promise<CommandResult> {
  const model = linkedOptionsOf(args[0]!, options);
  progress(`compiling ${model.model}`);
  const verify = options.toggle("verify");
  const { manifest, noCache, noClientSteps, ...result } = await compileGuarded(
    {
      ...model,
      output: options.text("output")!,
      ...given({ verify, writeRanges: options.text("writeRanges") }),
    },
    io.beforeSignal,
  );
  const text = compiledText(printableData({ manifest, noCache, noClientSteps, ...result }));
  return {
    json: result,
    text: `${text}${verifiedText(printableData(result.verified), printableData(result.onnxRuntime))}`,
  };
}

/** Describes a build for people: the files of each party, its assumptions, its cost. */
export function compiledText({ manifest, files, directory, notComputed, noCache, noClientSteps }: Compiled): string {
  const parts = [
    buildText(manifest, Object.entries(files), directory),
    omittedOutputsText(notComputed),
    generationText(manifest, noCache, noClientSteps),
  ];
  return parts.filter((part) => part !== "").join("\n");
}

type Compiled = Pick<CompileResult, "manifest" | "files" | "directory" | "notComputed"> & {
  readonly noCache: string | undefined;
  readonly noClientSteps: string | undefined;
};
