import { loadPartyBuild } from "../build/index.ts";
import { runText } from "../report/text/index.ts";
import { checkInputs, readInputFiles } from "../run/index.ts";
import { queryServer } from "../services/index.ts";
import { type CommandResult, type CommandSpec, type Invocation, jsonOption } from "./command.ts";
import { dealerOption, identityOption, loadIdentity, serverOption } from "./network-options.ts";
import { readAddress } from "./option-values.ts";
import { inputOption, outputOption, saveOutputs } from "./run.ts";

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

async function query(call: Invocation): Promise<CommandResult> {
  const { options } = call;
  const [server, dealer] = [readAddress(options, "server"), readAddress(options, "dealer")];
  const identity = await loadIdentity(call, "client");
  const part = await loadPartyBuild(call.args[0]!, "client");
  const inputs = checkInputs(part.manifest, readInputFiles(options.list("input")));
  const { outputs, result } = await queryServer({ part, inputs, identity, server, dealer });
  saveOutputs(options.text("output"), outputs);
  return { json: result, text: runText(result) };
}
