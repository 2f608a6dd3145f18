import { acceptInvite, given } from "../api/index.ts";
import { type CommandResult, type CommandSpec, type Invocation, jsonOption } from "./command.ts";
import { daysOption, readDays, sendText } from "./keys-init.ts";

export const keysAcceptCommand: CommandSpec = {
  name: "keys accept",
  summary: "create a party's own key and certificate from its invite",
  arguments: [
    { name: "invite.json", help: "the invite that another party wrote for this one" },
    { name: "dir", help: "a new folder for this party's identity" },
  ],
  options: [daysOption, jsonOption],
  examples: ["marillc keys accept build/keys/client.invite.json build/client-identity"],
  run: acceptCommand,
};

async function acceptCommand({ args, options }: Invocation): Promise<CommandResult> {
  const [invite, folder] = args as [string, string];
  const result = await acceptInvite({ invite, folder, ...given({ days: readDays(options) }) });
  const trusted = result.peers.map(({ party, fingerprint }) => `trusts ${party}  ${fingerprint}\n`).join("");
  return { json: result, text: `${trusted}Compare these fingerprints with their parties.\n${sendText(result)}` };
}
