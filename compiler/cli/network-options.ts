import { addressText, type Service } from "../api/index.ts";
import type { CommandResult, Invocation, OptionSpec } from "./command.ts";

export const listenOption: OptionSpec = {
  flags: "--listen <host:port>",
  help: "address to listen on; port 0 picks a free port",
  required: true,
};
export const dealerOption: OptionSpec = {
  flags: "--dealer <host:port>",
  help: "address of the dealer",
  required: true,
};
export const serverOption: OptionSpec = {
  flags: "--server <host:port>",
  help: "address of the server",
  required: true,
};
export const identityOption: OptionSpec = {
  flags: "--identity <dir>",
  help: "this party's identity folder, made by marillc keys init",
  required: true,
};

/** Prints the address, and serves until SIGINT or SIGTERM. */
export async function serveUntilInterrupted({ io, json }: Invocation, service: Service): Promise<CommandResult> {
  const listening = { host: service.host, port: service.port };
  io.out(json ? "" : `listening on ${addressText(listening)}\n`);
  if (json) io.err(`listening on ${addressText(listening)}\n`);
  await io.interrupted;
  await service.close();
  return { json: { schema: 1, listened: listening }, text: "" };
}
