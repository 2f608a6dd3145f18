import { usage } from "../api/index.ts";
import { type CommandSpec, jsonOption } from "./command.ts";

/** Planned commands: known by name, so that the refusal does not look like a typing error. */
const plannedCommand = (
  name: string,
  argument: string,
  flags: readonly string[],
  summary: string,
  instead: string,
): CommandSpec => ({
  name,
  summary: `${summary} (not in this version)`,
  hidden: true,
  arguments: [{ name: argument, help: "" }],
  options: [...flags.map((each) => ({ flags: each, help: "" })), jsonOption],
  examples: [],
  run: async () => usage(`marillc ${name} is not implemented yet; ${instead}`),
});

export const debugCommand = plannedCommand(
  "debug",
  "build-dir",
  ["--input <name=file>"],
  "find the first operator that diverges",
  "marillc run --plain computes the same fixed-point program without parties, to compare with",
);
