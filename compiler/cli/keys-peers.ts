import { given, inviteParty, listKeys, renewKey, revokeParty, trustParty } from "../api/index.ts";
import type { KnownParty } from "../keys/index.ts";
import { textTable } from "../report/text/index.ts";
import { type CommandSpec, jsonOption } from "./command.ts";
import { daysOption, readDays, renewedText } from "./keys-init.ts";

const identity = { name: "identity", help: "this party's identity folder" } as const;
const party = {
  name: "party",
  help: "the other party: client, server or dealer, or with a name, as client.alice",
} as const;

const day = (validUntil: string | undefined): string => validUntil?.slice(0, 10) ?? "";
const reload = "A running service reads the folder again at SIGHUP: kill -HUP <pid>, systemctl reload.";

export const keysInviteCommand: CommandSpec = {
  name: "keys invite",
  summary: "write an invite for a party that creates its own key; it holds no secret",
  arguments: [identity, party, { name: "invite.json", help: "the file to write" }],
  options: [jsonOption],
  examples: ["marillc keys invite build/keys/server client.alice build/alice.invite.json"],
  run: async ({ args }) => {
    const [from, to, file] = args as [string, string, string];
    const json = await inviteParty({ identity: from, party: to, invite: file });
    const text = `${file} names ${json.peers.join(", ")}. ${to} runs \`marillc keys accept ${file} <dir>\` and sends its certificate back.\n`;
    const lacking = json.missing.map(
      (role) =>
        `It names no ${role}, because this party trusts none yet: ${to} would not reach one. First run \`marillc keys trust ${from} ${role} <its cert.pem>\`, remove ${file}, and write it again.\n`,
    );
    return { json, text: [text, ...lacking].join("") };
  },
};

export const keysTrustCommand: CommandSpec = {
  name: "keys trust",
  summary: "trust the certificate that another party sent",
  arguments: [identity, party, { name: "cert.pem", help: "its certificate" }],
  options: [jsonOption],
  examples: ["marillc keys trust build/keys/server client.alice build/client-identity/cert.pem"],
  run: async ({ args }) => {
    const [to, from, certificate] = args as [string, string, string];
    const json = await trustParty({ identity: to, party: from, certificate });
    const compare = `Compare this fingerprint with ${from} over a channel that nobody else can change.`;
    return { json, text: `${from}  ${json.fingerprint}  valid until ${day(json.validUntil)}\n${compare}\n${reload}\n` };
  },
};

export const keysRevokeCommand: CommandSpec = {
  name: "keys revoke",
  summary: "trust a party's certificate no more",
  arguments: [identity, party],
  options: [jsonOption],
  examples: ["marillc keys revoke build/keys/server client.alice"],
  run: async ({ args }) => {
    const [from, who] = args as [string, string];
    const json = await revokeParty({ identity: from, party: who });
    const running = `${reload} It then ends the sessions of ${who}.`;
    return { json, text: `${who}  ${json.fingerprint}  is not trusted any more\n${running}\n` };
  },
};

export const keysListCommand: CommandSpec = {
  name: "keys list",
  summary: "show this party's certificate, and those that it trusts",
  arguments: [identity],
  options: [jsonOption],
  examples: ["marillc keys list build/keys/server"],
  run: async ({ args }) => {
    const json = await listKeys({ identity: args[0]! });
    const row = (own: string, { party: who, fingerprint, validUntil }: KnownParty): readonly string[] => [
      who,
      own,
      day(validUntil),
      fingerprint,
    ];
    const titles = ["party", "", "valid until", "fingerprint"].map((title) => ({ title }));
    return { json, text: textTable(titles, [row("this one", json.own), ...json.peers.map((each) => row("", each))]) };
  },
};

export const keysRenewCommand: CommandSpec = {
  name: "keys renew",
  summary: "create a new key for this party, with the peers of its old one",
  arguments: [identity, { name: "dir", help: "a new folder for the new identity" }],
  options: [daysOption, jsonOption],
  examples: ["marillc keys renew build/keys/server build/server-renewed"],
  run: async ({ args, options }) => {
    const [from, folder] = args as [string, string];
    const json = await renewKey({ identity: from, folder, ...given({ days: readDays(options) }) });
    return { json, text: renewedText(json) };
  },
};
