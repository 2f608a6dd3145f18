import { startServer } from "../services/index.ts";
import { type CommandResult, type CommandSpec, type Invocation, jsonOption } from "./command.ts";
import { dealerOption, identityOption, listenOption, loadIdentity, serveUntilInterrupted } from "./network-options.ts";
import { readAddress } from "./option-values.ts";

export const serveCommand: CommandSpec = {
  name: "serve",
  summary: "be the server: answer clients with private weights",
  arguments: [{ name: "build-dir/server", help: "the server's folder of a build" }],
  options: [listenOption, dealerOption, identityOption, jsonOption],
  examples: [
    "marillc serve build/date/server --listen 127.0.0.1:7301 --dealer 127.0.0.1:7302 --identity build/keys/server",
  ],
  run: serve,
};

async function serve(call: Invocation): Promise<CommandResult> {
  const [listen, dealer] = [readAddress(call.options, "listen"), readAddress(call.options, "dealer")];
  const identity = await loadIdentity(call, "server");
  const service = await startServer({ dir: call.args[0]!, listen, dealer, identity, log: call.warn });
  return serveUntilInterrupted(call, service);
}
