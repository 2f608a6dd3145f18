import { defaultMaxDealtBytes, startDealer } from "../services/index.ts";
import { type Call, type CommandSpec, jsonOption, type Outcome } from "./command.ts";
import { identityOf, identityOption, listenOption, untilInterrupted } from "./network-options.ts";
import { addressOf, countOf } from "./values.ts";

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

async function deal(call: Call): Promise<Outcome> {
  const listen = addressOf(call.options, "listen");
  const maxDealtBytes = countOf(call.options, "maxBytes", defaultMaxDealtBytes);
  const identity = await identityOf(call, "dealer");
  return untilInterrupted(call, await startDealer({ listen, identity, maxDealtBytes, log: call.warn }));
}
