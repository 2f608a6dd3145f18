import { writeFileSync } from "node:fs";
import { loadManifest, withPartyNames } from "../build/index.ts";
import { runText } from "../report/text/index.ts";
import {
  checkInputs,
  openLocal,
  outputsJson,
  type RunResult,
  readInputFiles,
  roundTimes,
  runPlain,
  securityFields,
} from "../run/index.ts";
import type { NpyDtype, TypedTensor } from "../tensors/index.ts";
import { writeNpz } from "../tensors/index.ts";
import { type CommandResult, type CommandSpec, type Invocation, jsonOption } from "./command.ts";
import { readCount, readLink } from "./option-values.ts";

export const inputOption = {
  flags: "--input <name=file>",
  help: ".npy, .npz, .pb or .json with this input",
  repeats: true,
} as const;
export const outputOption = { flags: "--output <file.npz>", help: "write the outputs there" } as const;

export const runCommand: CommandSpec = {
  name: "run",
  summary: "run a compiled program with every party on this machine",
  arguments: [{ name: "build-dir", help: "what marillc compile wrote" }],
  options: [
    inputOption,
    outputOption,
    { flags: "--link <link>", help: "shape the links: lan, wan, or <Mbit/s>x<round-trip ms>" },
    { flags: "--repeat <n>", help: "so many queries in one session (default: 1)" },
    { flags: "--plain", help: "the exact interpreter of the same fixed-point program instead, no parties" },
    { flags: "--in-process", help: "all parties in one thread, for debugging" },
    jsonOption,
  ],
  examples: [
    "marillc run build/date --input input_ids=build/prompt.json",
    "marillc run build/date --input input_ids=build/prompt.json --link lan --json",
  ],
  run,
};

async function run(call: Invocation): Promise<CommandResult> {
  const { options, args } = call;
  const dir = args[0]!;
  const link = readLink(options);
  const repeat = readCount(options, "repeat", 1);
  const manifest = loadManifest(dir);
  const inputs = checkInputs(manifest, readInputFiles(options.list("input")));
  if (options.flag("plain")) {
    const outputs = await runPlain(dir, inputs);
    saveOutputs(options.text("output"), outputs);
    const json: RunResult = { schema: 1, outputs: outputsJson(outputs), ...securityFields(manifest), queries: 0 };
    return { json, text: runText(json) };
  }
  call.warn("all three parties run on this machine: fine as a test, no protection as a deployment");
  const session = await openLocal({ dir, inProcess: options.flag("inProcess"), ...(link && { link }) });
  let last = await session.query(inputs);
  for (let query = 1; query < repeat; query++) {
    call.progress(`query ${query} of ${repeat} done`);
    last = await session.query(inputs);
  }
  const { predicted, measured, framingBytes, seconds, peakMegabytes, queries } = await session.end();
  saveOutputs(options.text("output"), last.outputs);
  const json: RunResult = withPartyNames(manifest.setting, {
    schema: 1,
    outputs: outputsJson(last.outputs),
    ...(last.serverOutputs.size > 0 && { serverOutputs: outputsJson(last.serverOutputs) }),
    ...securityFields(manifest),
    queries,
    predicted,
    measured: { ...measured, framingBytes, seconds: roundTimes(seconds), peakMegabytes },
  });
  return { json, text: runText(json) };
}

export function saveOutputs(file: string | undefined, outputs: ReadonlyMap<string, TypedTensor>): void {
  if (file === undefined) return;
  writeFileSync(file, writeNpz(outputs as ReadonlyMap<string, TypedTensor & { readonly dtype: NpyDtype }>));
}
