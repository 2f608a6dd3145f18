import type { Service } from "../api/index.ts";
import { addressText } from "../api/index.ts";
import type { CommandResult, Invocation, OptionSpec } from "./command.ts";

export const listenOption: OptionSpec = {
  flags: "--listen <host:port>",
  help: "where to listen; port 0 takes a free one",
  required: true,
};
export const dealerOption: OptionSpec = {
  flags: "--dealer <host:port>",
  help: "where the dealer listens",
  required: true,
};
export const serverOption: OptionSpec = {
  flags: "--server <host:port>",
  help: "where the server listens",
  required: true,
};
export const identityOption: OptionSpec = {
  flags: "--identity <dir>",
  help: "this party's folder of marillc keys init",
  required: true,
};

/** Says where it listens, and goes on until it is interrupted. */
export async function serveUntilInterrupted({ io, json }: Invocation, service: Service): Promise<CommandResult> {
  const listening = { host: service.host, port: service.port };
  io.out(json ? "" : `listening on ${addressText(listening)}\n`);
  if (json) io.err(`listening on ${addressText(listening)}\n`);
  await io.interrupted;
  await service.close();
  return { json: { schema: 1, listened: listening }, text: "" };
}
