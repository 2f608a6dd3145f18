import { given, type ServedAnswer, serve } from "../api/index.ts";
import { outputLines, shareLines } from "../report/text/index.ts";
import { type CommandResult, type CommandSpec, type Invocation, jsonOption } from "./command.ts";
import {
  dealerOption,
  identityOption,
  limitOptions,
  listenOption,
  readDrainSeconds,
  readLimits,
  runningOptions,
  serveUntilInterrupted,
} from "./network-options.ts";
import { inputName } from "./repeated-options.ts";
import { adapterOption, clampOption, sharesOption } from "./run.ts";
import { openLog } from "./service-log.ts";

export const serveCommand: CommandSpec = {
  name: "serve",
  summary: "run the server: answer clients with private weights",
  arguments: [{ name: "build-dir/server", help: "the server's folder of a build" }],
  options: [
    listenOption,
    dealerOption,
    identityOption,
    {
      flags: "--input <name=path>",
      help: "the server's own input: a file for all queries, or a folder with a file for each --record of a query; of an input that arrives as shares, the server's share or a folder of them",
      repeats: true,
      subject: inputName,
    },
    adapterOption,
    clampOption,
    {
      flags: "--output <path>",
      help: "write the outputs revealed to the server: a folder gets a file for each query, an .npz file the latest",
    },
    sharesOption,
    ...limitOptions,
    ...runningOptions,
    jsonOption,
  ],
  examples: [
    "marillc serve build/date/server --listen 127.0.0.1:7301 --dealer 127.0.0.1:7302 --identity build/keys/server",
  ],
  run: runServer,
};

async function runServer(call: Invocation): Promise<CommandResult> {
  const { args, options, io, json } = call;
  const print = json ? io.err : io.out;
  const log = await openLog(call);
  readDrainSeconds(call);
  const service = await serve({
    build: args[0]!,
    listen: options.text("listen")!,
    dealer: options.text("dealer")!,
    identity: options.text("identity")!,
    inputFiles: options.list("input"),
    clamp: options.flag("clamp"),
    ...readLimits(call),
    ...given({ output: options.text("output"), shares: options.text("shares"), adapter: options.text("adapter") }),
    onAnswer: (answer) => print(answerText(answer)),
    onWarning: (line) => log(line, { event: "warning", level: "warn" }),
    ...given({ health: options.text("health") }),
    onLog: log,
  });
  return serveUntilInterrupted(call, service, log);
}

/** What a query opened to the server: the first numbers, and all of them where no file has them. */
function answerText(answer: ServedAnswer): string {
  if (answer.unsaved) return `${JSON.stringify(answer)}\n`;
  const { session, query, record, outputs, shares = {} } = answer;
  const about = record === undefined ? "" : `, record ${record}`;
  return `${[`session ${session.slice(0, 8)}, query ${query}${about}`, ...outputLines(outputs), ...shareLines(shares)].join("\n")}\n`;
}
