import type { Label } from "../../ir/label.ts";
import { labels } from "../../ir/label.ts";
import type { Precision } from "../../ir/ops/define.ts";
import { defaultPrecision, weightBits } from "../../passes/4-quantize/precision.ts";
import { type LinkProfile, parseLink } from "../../runtime/transport/index.ts";
import type { LowRankOptions } from "../adapters/index.ts";
import { failUsage, type ParsedOptions } from "./command.ts";

/** Values of options; what cannot be read is wrong usage. */
export function orUsageError<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) return failUsage(error.message);
    throw error;
  }
}

/** `--link`, where it is given once. */
export function readLink(options: ParsedOptions): LinkProfile | undefined {
  const text = options.text("link");
  return text === undefined ? undefined : orUsageError(() => parseLink(text));
}

export function readCount(options: ParsedOptions, name: string, fallback: number): number {
  const text = options.text(name);
  if (text === undefined) return fallback;
  const count = Number(text);
  return /^\d+$/.test(text) && count >= 1 ? count : failUsage(`--${name} takes a whole number from 1, found "${text}"`);
}

/** `16,32`. */
export function readBuckets(options: ParsedOptions): readonly number[] {
  const text = options.text("buckets");
  if (text === undefined) return [];
  if (!/^\d{1,6}(,\d{1,6})*$/.test(text))
    return failUsage(`--buckets takes numbers of places, as 16,32, found "${text}"`);
  return text.split(",").map(Number);
}

const defaultTolerance = 1e-4;

/** `8` or `8@1e-3`. */
export function readLowRank(options: ParsedOptions): LowRankOptions | undefined {
  const text = options.text("lowRank");
  if (text === undefined) return undefined;
  const [, rank, given] = /^(\d{1,5})(?:@(.+))?$/.exec(text) ?? [];
  const tolerance = given === undefined ? defaultTolerance : Number(given);
  if (Number(rank) >= 1 && tolerance >= 0 && tolerance < 1) return { rank: Number(rank), tolerance };
  return failUsage(`--low-rank takes a rank and a tolerance below 1, as 8 or 8@1e-3, found "${text}"`);
}

/** `name=value` or `name:value` arguments of one option. */
function readPairs(
  options: ParsedOptions,
  name: string,
  separator: "=" | ":",
  form: string,
): readonly (readonly [string, string])[] {
  return options.list(name).map((text) => {
    // ONNX names may hold colons: the last one separates.
    const at = separator === ":" ? text.lastIndexOf(separator) : text.indexOf(separator);
    return at > 0 ? [text.slice(0, at), text.slice(at + 1)] : failUsage(`--${name} takes ${form}, found "${text}"`);
  });
}

/** A model's past may have no places; whatever else is given has `least` 1. */
export function readDims(options: ParsedOptions, min: 0 | 1): Readonly<Record<string, number>> {
  const read = ([name, text]: readonly [string, string]): [string, number] => {
    const size = Number(text);
    if (!/^\d+$/.test(text) || size < min) {
      failUsage(`--dim takes a whole number from ${min} for ${name}, found "${text}"`);
    }
    return [name, size];
  };
  return Object.fromEntries(readPairs(options, "dim", "=", "name=size").map(read));
}

export function readFixedInputs(options: ParsedOptions): Readonly<Record<string, number>> {
  const read = ([name, text]: readonly [string, string]): [string, number] =>
    /^-?\d{1,9}$/.test(text)
      ? [name, Number(text)]
      : failUsage(`--fix takes a whole number for ${name}, found "${text}"`);
  return Object.fromEntries(readPairs(options, "fix", "=", "name=number").map(read));
}

/** `weight=14`; most is what a weight of 16 bits has behind its sign. */
export function readPrecision(options: ParsedOptions): Partial<Precision> {
  const names = Object.keys(defaultPrecision);
  const form = `${names.join(", ")}: one of these = bits, 1 to ${weightBits - 1}`;
  const read = ([name, text]: readonly [string, string]): [string, number] => {
    const bits = Number(text);
    const known = names.includes(name) && /^\d{1,2}$/.test(text) && bits >= 1 && bits < weightBits;
    return known ? [name, bits] : failUsage(`--precision takes ${form}, found "${name}=${text}"`);
  };
  return Object.fromEntries(readPairs(options, "precision", "=", form).map(read));
}

export function readInputOwners(options: ParsedOptions): Readonly<Record<string, Label>> {
  const form = "name:client, name:server or name:public";
  const read = ([name, label]: readonly [string, string]): [string, Label] =>
    label !== "shared" && (labels as readonly string[]).includes(label)
      ? [name, label as Label]
      : failUsage(`--input takes ${form}, found "${label}"`);
  return Object.fromEntries(readPairs(options, "input", ":", form).map(read));
}

export function readReveals(options: ParsedOptions): readonly { output: string; to: "client" | "server" }[] {
  return readPairs(options, "reveal", ":", "name:client").map(([output, to]) =>
    to === "client" || to === "server" ? { output, to } : failUsage(`--reveal takes name:client, found "${to}"`),
  );
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

export function readAddress(options: ParsedOptions, name: string): Address {
  const text = options.text(name)!;
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  const host = bracketed ?? plain;
  if (host === undefined || port > 65535) return failUsage(`--${name} takes host:port, found "${text}"`);
  return { host, port };
}

export const addressText = ({ host, port }: Address): string => `${host.includes(":") ? `[${host}]` : host}:${port}`;
