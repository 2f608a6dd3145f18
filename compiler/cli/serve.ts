import { startServer } from "../services/index.ts";
import { type Call, type CommandSpec, jsonOption, type Outcome } from "./command.ts";
import { dealerOption, identityOf, identityOption, listenOption, untilInterrupted } from "./network-options.ts";
import { addressOf } from "./values.ts";

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

async function serve(call: Call): Promise<Outcome> {
  const [listen, dealer] = [addressOf(call.options, "listen"), addressOf(call.options, "dealer")];
  const identity = await identityOf(call, "server");
  const service = await startServer({ dir: call.args[0]!, listen, dealer, identity, log: call.warn });
  return untilInterrupted(call, service);
}
