import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { printableData } from "../../ir/printable.ts";
import { compile, demoModel, demoPrompt, given } from "../api/index.ts";
import { type CommandResult, type CommandSpec, type Invocation, jsonOption } from "./command.ts";
import { compiledText } from "./compile.ts";
import { printText } from "./generate.ts";
import { readCount } from "./option-values.ts";

export const demoCommand: CommandSpec = {
  name: "demo",
  summary: "compile the model of this package, and answer a prompt with it under MPC",
  arguments: [],
  options: [
    {
      flags: "-o, --output <build-dir>",
      help: "build directory to write (default: a temporary folder, removed at the end)",
    },
    { flags: "--prompt <text>", help: `text to continue (default: "${demoPrompt}")` },
    { flags: "--max-tokens <n>", help: "maximum number of new tokens (default: 32)" },
    jsonOption,
  ],
  examples: ["marillc demo --max-tokens 1"],
  run: demo,
};

async function demo(call: Invocation): Promise<CommandResult> {
  const kept = call.options.text("output");
  const maxTokens = readCount(call.options, "maxTokens");
  if (kept !== undefined) return await show(call, kept, maxTokens);
  const folder = mkdtempSync(join(tmpdir(), "marillc-demo-"));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  const forget = call.io.beforeSignal(remove);
  try {
    return await show(call, join(folder, "date"), maxTokens);
  } finally {
    forget();
    remove();
  }
}

/** Prints the output of `compile`, then that of `generate`. */
async function show(call: Invocation, build: string, maxTokens: number | undefined): Promise<CommandResult> {
  const { json, io, options, warn } = call;
  const { manifest, noCache, noClientSteps, ...compiled } = await compile({
    ...demoModel,
    output: build,
    verify: false,
  });
  if (!json) io.out(compiledText(printableData({ manifest, noCache, noClientSteps, ...compiled })));
  const prompt = options.text("prompt") ?? demoPrompt;
  const generated = await printText(call, { build, prompt, onWarning: warn, ...given({ maxTokens }) });
  return { json: { schema: 1, compile: compiled, generate: generated.json }, text: generated.text };
}
