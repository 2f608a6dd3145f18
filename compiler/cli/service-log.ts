import { printable } from "../../ir/printable.ts";
import { usage } from "../api/index.ts";
import { type LogFields, logLevels } from "../services/index.ts";
import type { CommandIo, Invocation, OptionSpec } from "./command.ts";

const formats = ["text", "json"] as const;

export const logOptions: readonly OptionSpec[] = [
  {
    flags: "--log-format <format>",
    help: "text or json, one line for each event (default: text); or MARILLC_LOG_FORMAT",
    choices: formats,
  },
  {
    flags: "--log-level <level>",
    help: `${logLevels.join(", ")} (default: info); or MARILLC_LOG_LEVEL`,
    choices: logLevels,
  },
];

export type LogSink = (line: string, about?: LogFields) => void;

/** The option, or the variable, or else the first value. */
function chosen<T extends string>(
  { options, io }: Invocation,
  name: string,
  variable: string,
  values: readonly T[],
  fallback: T,
): T {
  const flag = options.text(name);
  const given = flag ?? io.environment[variable] ?? "";
  if (given === "") return fallback;
  const what = flag === undefined ? variable : `--${name.replace("log", "log-").toLowerCase()}`;
  return values.find((each) => each === given) ?? usage(`${what} takes ${values.join(", ")}, found "${given}"`);
}

/** Where a service's log goes: to stderr, with time and level, as text or as JSON. */
export async function openLog(call: Invocation): Promise<LogSink> {
  const format = chosen(call, "logFormat", "MARILLC_LOG_FORMAT", formats, "text");
  const level = chosen(call, "logLevel", "MARILLC_LOG_LEVEL", logLevels, "info");
  const { pino } = await import("pino");
  const write = format === "json" ? call.io.err : textWriter(call.io);
  const logger = pino(
    {
      ...{ level, base: null, messageKey: "message" },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  );
  return (line, { level: own = "info", ...about }: Partial<LogFields> = {}) =>
    logger[own](about, printable(line.replace(/\s*\n\s*/g, "; ")));
}

interface Written extends LogFields {
  readonly time: string;
  readonly message: string;
}

/** `2026-12-01T10:00:00.000Z warn  failed: … (client.alice, 10.0.0.2, session 1a2b3c4d)` */
const textWriter =
  ({ err }: CommandIo) =>
  (json: string): void => {
    const { time, level = "info", message, peer, address, session } = JSON.parse(json) as Written;
    const about = [peer, address, session && `session ${session}`].filter((each) => each && !message.includes(each));
    err(`${time} ${level.padEnd(5)} ${message}${about.length > 0 ? ` (${about.join(", ")})` : ""}\n`);
  };
