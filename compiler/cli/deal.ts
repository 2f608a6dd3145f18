import { defaultMaxDealtBytes, startDealer } from "../services/index.ts";
import { type CommandResult, type CommandSpec, type Invocation, jsonOption } from "./command.ts";
import { identityOption, listenOption, loadIdentity, serveUntilInterrupted } from "./network-options.ts";
import { readAddress, readCount } from "./option-values.ts";

export const dealCommand: CommandSpec = {
  name: "deal",
  summary: "be the dealer: hand correlated randomness to clients and servers",
  arguments: [],
  options: [
    listenOption,
    identityOption,
    {
      flags: "--max-bytes <n>",
      help: "refuse programs of which one query takes more bytes of correlations (default: 4 GB)",
    },
    jsonOption,
  ],
  examples: ["marillc deal --listen 127.0.0.1:7302 --identity build/keys/dealer"],
  run: deal,
};

async function deal(call: Invocation): Promise<CommandResult> {
  const listen = readAddress(call.options, "listen");
  const maxDealtBytes = readCount(call.options, "maxBytes", defaultMaxDealtBytes);
  const identity = await loadIdentity(call, "dealer");
  return serveUntilInterrupted(call, await startDealer({ listen, identity, maxDealtBytes, log: call.warn }));
}
