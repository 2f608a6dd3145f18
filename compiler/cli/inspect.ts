import { statSync } from "node:fs";
import { type Module, type Stage, stages } from "../../ir/module.ts";
import { print } from "../../ir/text/print.ts";
import { loadManifest } from "../build/index.ts";
import { loadModel } from "../load/index.ts";
import { type ModelProvenance, manifestText, modelProvenance, provenanceText } from "../report/text/index.ts";
import { isStudentManifest, readStudentManifest, studentText } from "../student/index.ts";
import {
  type CommandResult,
  type CommandSpec,
  failUsage,
  type Invocation,
  jsonOption,
  type ParsedOptions,
} from "./command.ts";
import { loadCompiler } from "./load-compiler.ts";
import { linkOption, modelOptions, readCompileOptions } from "./model-options.ts";

export const inspectCommand: CommandSpec = {
  name: "inspect",
  summary:
    "show a model in the compiler's own language and who knows its weights, or what a build or a student promises",
  arguments: [
    { name: "model.onnx | build-dir | student.manifest.json", help: "a model, or what compile or rewrite wrote" },
  ],
  options: [
    { flags: "--stage <stage>", help: `the pass after which it is shown: ${stages.join(", ")} (default: import)` },
    ...modelOptions,
    linkOption,
    jsonOption,
  ],
  examples: ["marillc inspect fixtures/date-llama/base-ts17.onnx --stage import", "marillc inspect build/date"],
  run: inspect,
};

const isDirectory = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

async function inspect({ args, options }: Invocation): Promise<CommandResult> {
  const path = args[0]!;
  if (isDirectory(path)) {
    if (options.text("stage") !== undefined)
      failUsage("--stage is for a model: program.mir of a build is its last stage");
    const manifest = loadManifest(path);
    const { weights, constants } = manifest;
    const text = `${manifestText(manifest)}\n${provenanceText({ weights: [], constants })}`;
    return {
      json: { schema: 1, manifest, weights, constants },
      text: constants.length > 0 ? text : manifestText(manifest),
    };
  }
  if (isStudentManifest(path)) {
    if (options.text("stage") !== undefined) failUsage("--stage is for a model: this is the manifest of a student");
    const manifest = readStudentManifest(path);
    return { json: { schema: 1, manifest }, text: studentText(manifest, path) };
  }
  const { module, origins } = await modelAtStage(path, options);
  const mir = print(module);
  const text = `${mir}\n${asComment(provenanceText(origins))}`;
  return { json: { schema: 1, stage: module.stage, mir, ...origins }, text };
}

/** What is printed stays a text of the language. */
const asComment = (text: string): string => text.replace(/^(?=.)/gm, "// ");

interface StageView {
  readonly module: Module;
  readonly origins: ModelProvenance;
}

async function modelAtStage(model: string, options: ParsedOptions): Promise<StageView> {
  const wanted = options.text("stage") ?? "import";
  if (!(stages as readonly string[]).includes(wanted))
    failUsage(`--stage takes one of ${stages.join(", ")}, found "${wanted}"`);
  const compile = readCompileOptions(model, options);
  const loaded = loadModel(compile, { allowAllPublic: true });
  const origins = modelProvenance(loaded);
  if (wanted === "import") return { module: loaded.imported.module, origins };
  const { compileModel } = await loadCompiler();
  const { stages: byStage, module } = compileModel(compile);
  return { module: byStage.get(wanted as Stage) ?? module, origins };
}
