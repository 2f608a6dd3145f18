import { acceptInvite } from "../api/index.ts";
import { type CommandResult, type CommandSpec, type Invocation, jsonOption } from "./command.ts";

export const keysAcceptCommand: CommandSpec = {
  name: "keys accept",
  summary: "create a party's own key and certificate from its invite",
  arguments: [
    { name: "role.invite.json", help: "the invite that keys init wrote for this party" },
    { name: "dir", help: "a new folder for this party's identity" },
  ],
  options: [jsonOption],
  examples: ["marillc keys accept build/keys/client.invite.json build/client-identity"],
  run: acceptCommand,
};

async function acceptCommand({ args }: Invocation): Promise<CommandResult> {
  const [invite, folder] = args as [string, string];
  const result = await acceptInvite({ invite, folder });
  const { role, certificate, fingerprint, validUntil } = result;
  const advice = `Send ${certificate} to the other parties. Each checks the fingerprint with you and replaces peers/${role}.pem with it.`;
  return {
    json: result,
    text: `${role}  ${folder}  ${fingerprint}\nvalid until ${validUntil.slice(0, 10)}\n${advice}\n`,
  };
}
