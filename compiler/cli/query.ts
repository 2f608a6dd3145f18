import { printableData } from "../../ir/printable.ts";
import { given, query } from "../api/index.ts";
import { runText } from "../report/text/index.ts";
import { type CommandResult, type CommandSpec, type Invocation, jsonOption } from "./command.ts";
import { dealerOption, identityOption, patienceOption, readPatience, serverOption } from "./network-options.ts";
import { clampOption, inputOption, noGuardOption, outputOption, sharesOption } from "./run.ts";

export const queryCommand: CommandSpec = {
  name: "query",
  summary: "send one query to a server, as the client",
  arguments: [{ name: "build-dir/client", help: "the client's folder of a build" }],
  options: [
    serverOption,
    dealerOption,
    identityOption,
    inputOption,
    clampOption,
    {
      flags: "--record <name>",
      help: "name of the server's own input for this query, where the server has one for each record",
    },
    outputOption,
    sharesOption,
    patienceOption,
    noGuardOption,
    jsonOption,
  ],
  examples: [
    "marillc query build/date/client --server 127.0.0.1:7301 --dealer 127.0.0.1:7302 --identity build/keys/client --input input_ids=fixtures/date-llama/prompt.json",
  ],
  run: sendQuery,
};

async function sendQuery({ args, options, warn }: Invocation): Promise<CommandResult> {
  const result = await query({
    build: args[0]!,
    server: options.text("server")!,
    dealer: options.text("dealer")!,
    identity: options.text("identity")!,
    inputFiles: options.list("input"),
    clamp: options.flag("clamp"),
    guard: options.flag("guard"),
    ...given({
      output: options.text("output"),
      shares: options.text("shares"),
      record: options.text("record"),
      patience: readPatience({ options }),
    }),
    onWarning: warn,
  });
  return { json: result, text: runText(printableData(result)) };
}
