import { createKeys } from "../api/index.ts";
import { type CommandResult, type CommandSpec, type Invocation, jsonOption } from "./command.ts";

export const keysInitCommand: CommandSpec = {
  name: "keys init",
  summary: "create keys, certificates and an invite file for each party",
  arguments: [{ name: "dir", help: "a new folder for client/, server/ and dealer/" }],
  options: [jsonOption],
  examples: ["marillc keys init build/keys"],
  run: initKeysCommand,
};

async function initKeysCommand({ args }: Invocation): Promise<CommandResult> {
  const result = await createKeys({ folder: args[0]! });
  const { folders, fingerprints, validUntil } = result;
  const parties = Object.entries(folders).map(
    ([role, folder]) => `${role.padEnd(6)}  ${folder}  ${fingerprints[role as "client"]}`,
  );
  const advice =
    "Give each folder only to its party, over a secure channel. A party that prefers to create its own key runs `marillc keys accept` with its invite.";
  return { json: result, text: `${parties.join("\n")}\nvalid until ${validUntil.slice(0, 10)}\n${advice}\n` };
}
