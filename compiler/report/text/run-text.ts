import { counted } from "../../../ir/counted.ts";
import type { NamedBytes } from "../../build/index.ts";
import { type OutputJson, type RunResult, usedDirections } from "../../run/index.ts";
import { bytesText, secondsText } from "./format-units.ts";

const maxValues = 8;

const outputLine = (name: string, { shape, type, data }: OutputJson): string => {
  const shown = data.slice(0, maxValues).map((x) => String(Number(x.toPrecision(6))));
  return `${name}  ${type}[${shape.join(", ")}]  ${shown.join(" ")}${data.length > maxValues ? " …" : ""}`;
};

const linksText = (bytes: NamedBytes): string =>
  usedDirections(bytes)
    .map(([link, count]) => `${link} ${bytesText(count)}`)
    .join(", ");

type Outputs = Readonly<Record<string, OutputJson>>;

/** One line for each output. */
export const outputLines = (outputs: Outputs): readonly string[] =>
  Object.entries(outputs).map(([name, output]) => outputLine(name, output));

/** One line for each output that stays shared. */
export const shareLines = (shares: NonNullable<RunResult["shares"]>): readonly string[] =>
  Object.entries(shares).flatMap(([name, { files }]) => [
    `${name} stays shared:`,
    ...Object.entries(files).map(([party, file]) => `  the ${party}'s share  ${file}`),
  ]);

/** The report that `run` prints: the outputs of each reader, their cost, and the trust assumption. */
export function runText({
  outputs,
  serverOutputs,
  sharedOutputs,
  shares = {},
  setting,
  security,
  truncation,
  measured,
  queries,
}: RunResult): string {
  const nothing = Object.keys(outputs).length === 0 && !serverOutputs;
  const lines = [
    ...(nothing ? ["no output is opened to the client"] : outputLines(outputs)),
    ...(serverOutputs ? ["opened to the server:", ...outputLines(serverOutputs)] : []),
    ...(sharedOutputs ? ["stays shared, and nobody would read it:", ...outputLines(sharedOutputs)] : []),
    ...shareLines(shares),
  ];
  if (measured) lines.push("", costLine(measured, queries), timeLine(measured));
  lines.push("", `${setting}: ${security}; truncation ${truncation}`);
  return `${lines.join("\n")}\n`;
}

/** One line on rounds and bytes. */
export function costLine({ rounds, bytes, framingBytes }: NonNullable<RunResult["measured"]>, queries: number): string {
  const of = queries === 1 ? "" : ` for ${queries} queries`;
  return `${counted(rounds, "round")}${of}; ${linksText(bytes)}; framing ${bytesText(framingBytes)}; exactly as predicted`;
}

/** One line on time and memory. */
export function timeLine({ seconds, peakMegabytes }: NonNullable<RunResult["measured"]>): string {
  const peaks = Object.entries(peakMegabytes).map(([role, megabytes]) => `${role} ${megabytes} MB`);
  return `offline ${secondsText(seconds.offline)}, online ${secondsText(seconds.online)}; memory ${peaks.join(", ")}`;
}

/** Metered cost of one token; `place` is the position of its query. */
export interface TokenCost {
  readonly place: number;
  readonly rounds: number;
  readonly bytes: NamedBytes;
  /** `clear`: time in which the client computed alone. */
  readonly seconds: { readonly clear: number; readonly offline: number; readonly online: number };
}

/** One line on the cost of a token. */
export function tokenLine({ place, rounds, bytes, seconds }: TokenCost): string {
  const { clear, offline, online } = seconds;
  const times = `in the clear ${secondsText(clear)}, offline ${secondsText(offline)}, online ${secondsText(online)}`;
  return `position ${place}: ${counted(rounds, "round")}; ${linksText(bytes)}; ${times}`;
}
