import { statSync } from "node:fs";
import { type Stage, stages } from "../../ir/module.ts";
import { printableData } from "../../ir/printable.ts";
import { inspect, inspectBuild, inspectStudent, usage } from "../api/index.ts";
import { manifestText, provenanceText } from "../report/text/index.ts";
import { isStudentManifest, studentText } from "../student/index.ts";
import { type CommandResult, type CommandSpec, type Invocation, jsonOption } from "./command.ts";
import { linkedOptionsOf, linkOption, modelOptions, refuseForBuild } from "./model-options.ts";

export const inspectCommand: CommandSpec = {
  name: "inspect",
  summary: "print a model as IR with the owner of each weight, or summarize a build or a student",
  arguments: [
    {
      name: "path",
      help: "a model (.onnx), a build directory, or a student's manifest (.manifest.json)",
    },
  ],
  options: [
    {
      flags: "--stage <stage>",
      help: `show the module after this pass: ${stages.join(", ")} (default: import)`,
      choices: stages,
    },
    ...modelOptions,
    linkOption,
    jsonOption,
  ],
  examples: ["marillc inspect fixtures/date-llama/base-ts17.onnx --stage import", "marillc inspect build/date"],
  run: inspectPath,
};

const isDirectory = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

async function inspectPath({ args, options }: Invocation): Promise<CommandResult> {
  const path = args[0]!;
  const stage = options.text("stage") as Stage | undefined;
  if (isDirectory(path)) {
    if (stage !== undefined) usage("--stage applies to a model: program.mir of a build is its last stage");
    refuseForBuild(options, [...modelOptions, linkOption]);
    const result = inspectBuild({ build: path });
    const { manifest, constants } = printableData(result);
    const text = `${manifestText(manifest)}\n${provenanceText({ weights: [], constants })}`;
    return { json: result, text: constants.length > 0 ? text : manifestText(manifest) };
  }
  if (isStudentManifest(path)) {
    if (stage !== undefined) usage("--stage applies to a model, found the manifest of a student");
    refuseForBuild(options, [...modelOptions, linkOption], "a student");
    const result = inspectStudent({ manifest: path });
    return { json: result, text: studentText(printableData(result.manifest), path) };
  }
  const result = await inspect({ ...linkedOptionsOf(path, options), ...(stage !== undefined && { stage }) });
  return { json: result, text: `${result.mir}\n${asComment(provenanceText(printableData({ ...result, mir: "" })))}` };
}

/** Comments the report out, so that the output still parses as IR. */
const asComment = (text: string): string => text.replace(/^(?=.)/gm, "// ");
