import { statSync } from "node:fs";
import { type Module, type Stage, stages } from "../../ir/module.ts";
import { print } from "../../ir/text/print.ts";
import { loadManifest } from "../build/index.ts";
import { importOwned } from "../load/index.ts";
import { manifestText, type Provenances, provenancesOf, provenanceText } from "../report/text/index.ts";
import { isStudentManifest, readStudentManifest, studentText } from "../student/index.ts";
import { type Call, type CommandSpec, jsonOption, type Options, type Outcome, usage } from "./command.ts";
import { loadCompiler } from "./load-compiler.ts";
import { compileOptionsOf, linkOption, modelOptions } from "./model-options.ts";

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

async function inspect({ args, options }: Call): Promise<Outcome> {
  const path = args[0]!;
  if (isDirectory(path)) {
    if (options.text("stage") !== undefined) usage("--stage is for a model: program.mir of a build is its last stage");
    const manifest = loadManifest(path);
    const { weights, constants } = manifest;
    const text = `${manifestText(manifest)}\n${provenanceText({ weights: [], constants })}`;
    return {
      json: { schema: 1, manifest, weights, constants },
      text: constants.length > 0 ? text : manifestText(manifest),
    };
  }
  if (isStudentManifest(path)) {
    if (options.text("stage") !== undefined) usage("--stage is for a model: this is the manifest of a student");
    const manifest = readStudentManifest(path);
    return { json: { schema: 1, manifest }, text: studentText(manifest, path) };
  }
  const { module, origins } = await modelAt(path, options);
  const mir = print(module);
  const text = `${mir}\n${comment(provenanceText(origins))}`;
  return { json: { schema: 1, stage: module.stage, mir, ...origins }, text };
}

/** What is printed stays a text of the language. */
const comment = (text: string): string => text.replace(/^(?=.)/gm, "// ");

interface Shown {
  readonly module: Module;
  readonly origins: Provenances;
}

async function modelAt(model: string, options: Options): Promise<Shown> {
  const wanted = options.text("stage") ?? "import";
  if (!(stages as readonly string[]).includes(wanted))
    usage(`--stage takes one of ${stages.join(", ")}, found "${wanted}"`);
  const compile = compileOptionsOf(model, options);
  const owned = importOwned(compile, { allowAllPublic: true });
  const origins = provenancesOf(owned);
  if (wanted === "import") return { module: owned.imported.module, origins };
  const { compileModel } = await loadCompiler();
  const { stages: made, module } = compileModel(compile);
  return { module: made.get(wanted as Stage) ?? module, origins };
}
