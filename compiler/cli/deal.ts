import { deal, given } from "../api/index.ts";
import { type CommandResult, type CommandSpec, type Invocation, jsonOption } from "./command.ts";
import { identityOption, listenOption, serveUntilInterrupted } from "./network-options.ts";
import { readCount } from "./option-values.ts";

export const dealCommand: CommandSpec = {
  name: "deal",
  summary: "run the dealer: send correlated randomness to clients and servers",
  arguments: [],
  options: [
    listenOption,
    identityOption,
    {
      flags: "--max-bytes <n>",
      help: "refuse programs that need more correlation bytes for one query (default: 4 GB)",
    },
    jsonOption,
  ],
  examples: ["marillc deal --listen 127.0.0.1:7302 --identity build/keys/dealer"],
  run: runDealer,
};

async function runDealer(call: Invocation): Promise<CommandResult> {
  const { options, warn } = call;
  const service = await deal({
    listen: options.text("listen")!,
    identity: options.text("identity")!,
    ...given({ maxBytes: readCount(options, "maxBytes") }),
    onWarning: warn,
    onLog: warn,
  });
  return serveUntilInterrupted(call, service);
}
