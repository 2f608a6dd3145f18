import { fail, formatDiagnostic } from "../../ir/diagnostic.ts";
import type { Role } from "../../runtime/core/index.ts";
import type { Identity } from "../../runtime/transport/node/index.ts";
import { readIdentity } from "../keys/index.ts";
import type { Service } from "../services/index.ts";
import type { CommandResult, Invocation, OptionSpec } from "./command.ts";
import { addressText } from "./option-values.ts";

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

export async function loadIdentity({ options, warn }: Invocation, role: Role): Promise<Identity> {
  const dir = options.text("identity")!;
  const identity = await readIdentity(dir, (diagnostic) =>
    warn(formatDiagnostic(diagnostic).replace(/^error/, "warning")),
  );
  if (identity.role !== role) {
    fail({ code: "MRL0738", message: `this identity is the ${identity.role}'s, and the ${role}'s is needed`, at: dir });
  }
  return identity;
}

/** Says where it listens, and goes on until it is interrupted. */
export async function serveUntilInterrupted({ io, json }: Invocation, service: Service): Promise<CommandResult> {
  const listening = { host: service.host, port: service.port };
  io.out(json ? "" : `listening on ${addressText(listening)}\n`);
  if (json) io.err(`listening on ${addressText(listening)}\n`);
  await io.interrupted;
  await service.close();
  return { json: { schema: 1, listened: listening }, text: "" };
}
