import { deal, given } from "../api/index.ts";
import { type CommandResult, type CommandSpec, type Invocation, jsonOption } from "./command.ts";
import {
  identityOption,
  limitOptions,
  listenOption,
  readDrainSeconds,
  readLimits,
  runningOptions,
  serveUntilInterrupted,
} from "./network-options.ts";
import { readCount } from "./option-values.ts";
import { openLog } from "./service-log.ts";

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
    { flags: "--max-program-bytes <n>", help: "refuse programs of more text (default: 16 MiB)" },
    { flags: "--max-operators <n>", help: "refuse programs of more operators (default: 100000)" },
    {
      flags: "--max-work <n>",
      help: "refuse programs of more products and elements for one query (default: 1e12)",
    },
    {
      flags: "--max-memory <n>",
      help: "bytes of memory for queries that take long, all together (default: half of what the process may use)",
    },
    ...limitOptions,
    ...runningOptions,
    jsonOption,
  ],
  examples: ["marillc deal --listen 127.0.0.1:7302 --identity build/keys/dealer"],
  run: runDealer,
};

async function runDealer(call: Invocation): Promise<CommandResult> {
  const { options } = call;
  const log = await openLog(call);
  readDrainSeconds(call);
  const service = await deal({
    listen: options.text("listen")!,
    identity: options.text("identity")!,
    ...readLimits(call),
    ...given({
      maxBytes: readCount(options, "maxBytes"),
      maxProgramBytes: readCount(options, "maxProgramBytes"),
      maxOperators: readCount(options, "maxOperators"),
      maxWork: readCount(options, "maxWork"),
      maxMemory: readCount(options, "maxMemory"),
    }),
    onWarning: (line) => log(line, { event: "warning", level: "warn" }),
    ...given({ health: options.text("health") }),
    onLog: log,
  });
  return serveUntilInterrupted(call, service, log);
}
