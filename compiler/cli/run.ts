import { printableData } from "../../ir/printable.ts";
import { given, run } from "../api/index.ts";
import { runText } from "../report/text/index.ts";
import { type CommandResult, type CommandSpec, type Invocation, jsonOption } from "./command.ts";
import { linkNames } from "./model-options.ts";
import { readCount, readLink } from "./option-values.ts";
import { inputName } from "./repeated-options.ts";

export const inputOption = {
  flags: "--input <name=file>",
  help: 'file for this input: .npy, .npz, .pb, or .json as {"name": [[1, 2]]}; of an input that arrives as shares, this party\'s share (`run`: both, as a+b)',
  repeats: true,
  subject: inputName,
} as const;
export const clampOption = {
  flags: "--clamp",
  help: "move values beyond the public bounds of what the client shares onto them (default: refuse the input)",
} as const;
export const outputOption = { flags: "--output <file.npz>", help: "write the outputs to this file" } as const;

export const sharesOption = {
  flags: "--shares <folder>",
  help: "folder for this party's shares of outputs that stay shared: a file for each output of each query",
} as const;

export const noGuardOption = {
  flags: "--no-guard",
  help: "show an answer also where values inside the network left their public bounds: it may be noise",
} as const;

/** For commands that run all parties on this machine. */
export const shapedLinkOption = {
  flags: "--link <link>",
  help: "emulate this network between the parties: lan, wan, or <Mbit/s>x<round-trip ms>",
  choices: linkNames,
} as const;

/** For commands in which the server uses its weights. */
export const adapterOption = {
  flags: "--adapter <name>",
  help: "the adapter that the server uses, of a build with several",
} as const;

export const runCommand: CommandSpec = {
  name: "run",
  summary: "run a build with all parties on this machine",
  arguments: [{ name: "build-dir", help: "a build directory" }],
  options: [
    inputOption,
    clampOption,
    adapterOption,
    outputOption,
    sharesOption,
    shapedLinkOption,
    { flags: "--repeat <n>", help: "number of queries in one session (default: 1)" },
    { flags: "--plain", help: "evaluate the same fixed-point program with the exact interpreter, without parties" },
    { flags: "--in-process", help: "run all parties in one thread, for debugging" },
    noGuardOption,
    jsonOption,
  ],
  examples: [
    "marillc run build/date --input input_ids=fixtures/date-llama/prompt.json",
    "marillc run build/date --input input_ids=fixtures/date-llama/prompt.json --link lan --json",
  ],
  run: runBuild,
};

async function runBuild({ args, options, warn, progress }: Invocation): Promise<CommandResult> {
  const result = await run({
    build: args[0]!,
    inputFiles: options.list("input"),
    clamp: options.flag("clamp"),
    guard: options.flag("guard"),
    plain: options.flag("plain"),
    inProcess: options.flag("inProcess"),
    ...given({
      link: readLink(options),
      repeat: readCount(options, "repeat"),
      output: options.text("output"),
      shares: options.text("shares"),
      adapter: options.text("adapter"),
    }),
    onWarning: warn,
    onProgress: progress,
  });
  return { json: result, text: runText(printableData(result)) };
}
