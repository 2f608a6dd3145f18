import { serve } from "../api/index.ts";
import { type CommandResult, type CommandSpec, type Invocation, jsonOption } from "./command.ts";
import { dealerOption, identityOption, listenOption, serveUntilInterrupted } from "./network-options.ts";

export const serveCommand: CommandSpec = {
  name: "serve",
  summary: "run the server: answer clients with private weights",
  arguments: [{ name: "build-dir/server", help: "the server's folder of a build" }],
  options: [listenOption, dealerOption, identityOption, jsonOption],
  examples: [
    "marillc serve build/date/server --listen 127.0.0.1:7301 --dealer 127.0.0.1:7302 --identity build/keys/server",
  ],
  run: runServer,
};

async function runServer(call: Invocation): Promise<CommandResult> {
  const { args, options, warn } = call;
  const service = await serve({
    build: args[0]!,
    listen: options.text("listen")!,
    dealer: options.text("dealer")!,
    identity: options.text("identity")!,
    onWarning: warn,
    onLog: warn,
  });
  return serveUntilInterrupted(call, service);
}
