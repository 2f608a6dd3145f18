import { loadPart } from "../build/index.ts";
import { runText } from "../report/text/index.ts";
import { checkInputs, readInputFiles } from "../run/index.ts";
import { askServer } from "../services/index.ts";
import { type Call, type CommandSpec, jsonOption, type Outcome } from "./command.ts";
import { dealerOption, identityOf, identityOption, serverOption } from "./network-options.ts";
import { inputOption, outputOption, save } from "./run.ts";
import { addressOf } from "./values.ts";

export const queryCommand: CommandSpec = {
  name: "query",
  summary: "be the client: ask a server one question",
  arguments: [{ name: "build-dir/client", help: "the client's folder of a build" }],
  options: [serverOption, dealerOption, identityOption, inputOption, outputOption, jsonOption],
  examples: [
    "marillc query build/date/client --server 127.0.0.1:7301 --dealer 127.0.0.1:7302 --identity build/keys/client --input input_ids=build/prompt.json",
  ],
  run: query,
};

async function query(call: Call): Promise<Outcome> {
  const { options } = call;
  const [server, dealer] = [addressOf(options, "server"), addressOf(options, "dealer")];
  const identity = await identityOf(call, "client");
  const part = await loadPart(call.args[0]!, "client");
  const inputs = checkInputs(part.manifest, readInputFiles(options.texts("input")));
  const { outputs, result } = await askServer({ part, inputs, identity, server, dealer });
  save(options.text("output"), outputs);
  return { json: result, text: runText(result) };
}
