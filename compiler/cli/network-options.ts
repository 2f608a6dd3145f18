import { addressText, given, type Service, usage } from "../api/index.ts";
import { limitSpecs, type ServiceLimits } from "../services/index.ts";
import { type CommandResult, flagOfKey, type Invocation, type OptionSpec } from "./command.ts";

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

export const patienceOption: OptionSpec = {
  flags: "--patience <seconds>",
  help: "how long to wait for a busy server or dealer, and to ask again (default: 300)",
};

const limitNames = Object.keys(limitSpecs) as (keyof ServiceLimits)[];

/** `maxSessions` → `MARILLC_MAX_SESSIONS`. */
const variableOf = (name: string): string =>
  `MARILLC_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;

/** An option for each limit of a service. */
export const limitOptions: readonly OptionSpec[] = limitNames.map((name) => ({
  flags: `${flagOfKey(name)} <n>`,
  help: `${limitSpecs[name].help}; or ${variableOf(name)}`,
}));

/** The limits that the command line gives, or else the environment. @throws UsageError for anything but a count */
export function readLimits({ options, io }: Invocation): Partial<ServiceLimits> {
  const limits = limitNames.map((name) => {
    const flag = options.text(name);
    const text = flag ?? io.environment[variableOf(name)];
    if (text === undefined || text === "") return [name, undefined] as const;
    return [name, readAtLeast(text, limitSpecs[name].least, flag === undefined ? variableOf(name) : flagOfKey(name))];
  });
  return given(Object.fromEntries(limits));
}

/** Digits, or a power of ten as 1e12. */
function readAtLeast(text: string, least: number, what: string): number {
  const count = Number(text);
  return /^\d+(e\d+)?$/.test(text) && Number.isSafeInteger(count) && count >= least
    ? count
    : usage(`${what} takes an integer of at least ${least}, found "${text}"`);
}

/** `--patience`, in seconds. */
export function readPatience({ options }: Pick<Invocation, "options">): number | undefined {
  const text = options.text("patience");
  return text === undefined ? undefined : readAtLeast(text, 0, "--patience");
}

/** Prints the address, and serves until SIGINT or SIGTERM. */
export async function serveUntilInterrupted({ io, json }: Invocation, service: Service): Promise<CommandResult> {
  const listening = { host: service.host, port: service.port };
  io.out(json ? "" : `listening on ${addressText(listening)}\n`);
  if (json) io.err(`listening on ${addressText(listening)}\n`);
  await io.interrupted;
  await service.close();
  return { json: { schema: 1, listened: listening }, text: "" };
}
