import type { Role } from "../../runtime/core/index.ts";
import { type AcceptedKey, createKeys, createOwnKey, given, type OwnKey } from "../api/index.ts";
import type { ParsedOptions } from "./command.ts";
import { type CommandResult, type CommandSpec, type Invocation, jsonOption, type OptionSpec } from "./command.ts";
import { readCount } from "./option-values.ts";

export const daysOption: OptionSpec = {
  flags: "--days <n>",
  help: "validity of the certificate in days (default: 730)",
};
export const readDays = (options: ParsedOptions): number | undefined => readCount(options, "days");

export const keysInitCommand: CommandSpec = {
  name: "keys init",
  summary: "create this party's key and invites for the others; or, to try things out, the keys of all three",
  arguments: [{ name: "dir", help: "a new folder for the identity of each party: client/, server/, dealer/" }],
  options: [
    {
      flags: "--role <role>",
      help: "create the key of this party alone: the others make theirs from its invites, on their own machines",
      choices: ["client", "server", "dealer"],
    },
    daysOption,
    jsonOption,
  ],
  examples: ["marillc keys init build/keys", "marillc keys init build/own --role server"],
  run: initKeysCommand,
};

async function initKeysCommand({ args, options }: Invocation): Promise<CommandResult> {
  const [folder, role] = [args[0]!, options.text("role") as Role | undefined];
  const days = given({ days: readDays(options) });
  if (role !== undefined) {
    const result = await createOwnKey({ folder, role, ...days });
    return { json: result, text: `${keyText(result)}\n${invitesText(result)}` };
  }
  const result = await createKeys({ folder, ...days });
  const { folders, fingerprints, validUntil } = result;
  const parties = Object.entries(folders).map(
    ([each, path]) => `${each.padEnd(6)}  ${path}  ${fingerprints[each as "client"]}`,
  );
  const advice =
    "All private keys were made here: that is for trying things out. Where parties do not trust each other, each makes its own: `marillc keys init --role` and `marillc keys accept`. Otherwise give each folder only to its party, over a secure channel, and keep no copy.";
  return { json: result, text: `${parties.join("\n")}\nvalid until ${validUntil.slice(0, 10)}\n${advice}\n` };
}

/**
 * What to do with the invites of a party that trusts nobody yet. Between a server and a dealer they name all that these
 * need; any other is written again once the third party is trusted.
 */
function invitesText({ role, folder, invites }: OwnKey): string {
  const [first, ...later] = Object.entries(invites).sort(([a], [b]) => Number(a === "client") - Number(b === "client"));
  const [other, file] = first!;
  const again = later.map(
    ([each, invite]) =>
      `${invite} names no ${other} yet. Once you trust its certificate, write one that does: \`marillc keys invite ${folder} ${each} <new file>\`.\n`,
  );
  const both = role === "client" ? "Send the invites to these parties" : `Send ${file} to the ${other}`;
  return `${both}: it runs \`marillc keys accept\` and sends its certificate back.\n${again.join("")}`;
}

const partyOf = ({ role, name }: AcceptedKey): string => (name === undefined ? role : `${role}.${name}`);

const keyText = (key: AcceptedKey): string =>
  `${partyOf(key)}  ${key.folder}  ${key.fingerprint}\nvalid until ${key.validUntil.slice(0, 10)}`;

/** A new key, and what the other parties do with its certificate. */
export const sendText = (key: AcceptedKey, as = partyOf(key)): string =>
  `${keyText(key)}\nSend ${key.certificate} to the other parties. Each compares the fingerprint with you and runs \`marillc keys trust <its identity> ${as} <that file>\`.\n`;

/** Hexadecimal digits of a fingerprint that tell a renewed key from all others of the party. */
const toldBy = 8;
/** A name of 32 characters with a dash and these digits. */
const mostOfName = 32 - 1 - toldBy;

/** The others trust a renewed key beside the old one, under a name of its own, and later revoke the old one. */
export function renewedText(key: AcceptedKey): string {
  const digits = key.fingerprint.slice(0, toldBy);
  const name = key.name === undefined ? digits : `${key.name.slice(0, mostOfName)}-${digits}`;
  return `${sendText(key, `${key.role}.${name}`)}The name is new: the old certificate is trusted beside this one until you use the new folder. Then each runs \`marillc keys revoke <its identity> ${partyOf(key)}\`, with the name under which it trusts the old one.\n`;
}
