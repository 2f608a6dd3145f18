import { addressText, given, type Service, usage } from "../api/index.ts";
import { limitSpecs, type ServiceLimits } from "../services/index.ts";
import { type CommandResult, flagOfKey, type Invocation, type OptionSpec } from "./command.ts";
import { failureOf } from "./failure.ts";
import { type LogSink, logOptions } from "./service-log.ts";

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
  help: "this party's identity folder, made by marillc keys init or keys accept",
  required: true,
};

export const patienceOption: OptionSpec = {
  flags: "--patience <seconds>",
  help: "how long to wait for a server or dealer that is busy or not reached, and to ask again (default: 300)",
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

export const runningOptions: readonly OptionSpec[] = [
  {
    flags: "--health <host:port>",
    help: "serve /healthz, /readyz and /metrics over HTTP there, for supervisors (default: nowhere)",
  },
  {
    flags: "--drain-timeout <seconds>",
    help: "after SIGTERM or SIGINT, the time for running sessions to end; a second signal ends at once (default: 30)",
  },
  ...logOptions,
];

const defaultDrainSeconds = 30;

/** `--drain-timeout`, in seconds. */
export function readDrainSeconds({ options }: Pick<Invocation, "options">): number {
  const text = options.text("drainTimeout");
  return text === undefined ? defaultDrainSeconds : readAtLeast(text, 0, "--drain-timeout");
}

/**
 * Prints the address, and serves until SIGINT or SIGTERM; then no session begins any more, and those that run may end.
 * SIGHUP reads the identity again.
 */
export async function serveUntilInterrupted(
  { io, json, options }: Invocation,
  service: Service,
  log: LogSink,
): Promise<CommandResult> {
  const seconds = readDrainSeconds({ options });
  const listening = { host: service.host, port: service.port };
  io.out(json ? "" : `listening on ${addressText(listening)}\n`);
  const health = service.health ? `, health on ${addressText(service.health)}` : "";
  log(`listening on ${addressText(listening)}${health}`, { event: "listening" });
  const forget = io.onHangup(() => {
    service.reload().catch((error: unknown) => {
      const { text } = failureOf(error);
      log(`not reloaded, and nothing changed: ${text.replace(/\s*\n\s*/g, "; ")}`, {
        event: "reloaded",
        level: "error",
      });
    });
  });
  await io.interrupted;
  await service.drain(seconds);
  forget();
  return { json: { schema: 1, listened: listening }, text: "" };
}
