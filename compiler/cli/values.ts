import type { Label } from "../../ir/label.ts";
import { labels } from "../../ir/label.ts";
import type { Precision } from "../../ir/ops/define.ts";
import { defaultPrecision, weightBits } from "../../passes/4-quantize/precision.ts";
import { type LinkProfile, parseLink } from "../../runtime/transport/index.ts";
import type { LowRankOptions } from "../adapters/index.ts";
import { type Options, usage } from "./command.ts";

/** Values of options; what cannot be read is wrong usage. */
export function readUsage<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) return usage(error.message);
    throw error;
  }
}

/** `--link`, where it is given once. */
export function linkOf(options: Options): LinkProfile | undefined {
  const text = options.text("link");
  return text === undefined ? undefined : readUsage(() => parseLink(text));
}

export function countOf(options: Options, name: string, otherwise: number): number {
  const text = options.text(name);
  if (text === undefined) return otherwise;
  const count = Number(text);
  return /^\d+$/.test(text) && count >= 1 ? count : usage(`--${name} takes a whole number from 1, found "${text}"`);
}

/** `16,32`. */
export function bucketsOf(options: Options): readonly number[] {
  const text = options.text("buckets");
  if (text === undefined) return [];
  if (!/^\d{1,6}(,\d{1,6})*$/.test(text)) return usage(`--buckets takes numbers of places, as 16,32, found "${text}"`);
  return text.split(",").map(Number);
}

const defaultTolerance = 1e-4;

/** `8` or `8@1e-3`. */
export function lowRankOf(options: Options): LowRankOptions | undefined {
  const text = options.text("lowRank");
  if (text === undefined) return undefined;
  const [, rank, given] = /^(\d{1,5})(?:@(.+))?$/.exec(text) ?? [];
  const tolerance = given === undefined ? defaultTolerance : Number(given);
  if (Number(rank) >= 1 && tolerance >= 0 && tolerance < 1) return { rank: Number(rank), tolerance };
  return usage(`--low-rank takes a rank and a tolerance below 1, as 8 or 8@1e-3, found "${text}"`);
}

/** `name=value` or `name:value` arguments of one option. */
function pairs(
  options: Options,
  name: string,
  separator: "=" | ":",
  form: string,
): readonly (readonly [string, string])[] {
  return options.texts(name).map((text) => {
    // ONNX names may hold colons: the last one separates.
    const at = separator === ":" ? text.lastIndexOf(separator) : text.indexOf(separator);
    return at > 0 ? [text.slice(0, at), text.slice(at + 1)] : usage(`--${name} takes ${form}, found "${text}"`);
  });
}

/** A model's past may have no places; whatever else is given has `least` 1. */
export function dimsOf(options: Options, least: 0 | 1): Readonly<Record<string, number>> {
  const read = ([name, text]: readonly [string, string]): [string, number] => {
    const size = Number(text);
    if (!/^\d+$/.test(text) || size < least) {
      usage(`--dim takes a whole number from ${least} for ${name}, found "${text}"`);
    }
    return [name, size];
  };
  return Object.fromEntries(pairs(options, "dim", "=", "name=size").map(read));
}

export function fixedOf(options: Options): Readonly<Record<string, number>> {
  const read = ([name, text]: readonly [string, string]): [string, number] =>
    /^-?\d{1,9}$/.test(text) ? [name, Number(text)] : usage(`--fix takes a whole number for ${name}, found "${text}"`);
  return Object.fromEntries(pairs(options, "fix", "=", "name=number").map(read));
}

/** `weight=14`; most is what a weight of 16 bits has behind its sign. */
export function precisionOf(options: Options): Partial<Precision> {
  const names = Object.keys(defaultPrecision);
  const form = `${names.join(", ")}: one of these = bits, 1 to ${weightBits - 1}`;
  const read = ([name, text]: readonly [string, string]): [string, number] => {
    const bits = Number(text);
    const known = names.includes(name) && /^\d{1,2}$/.test(text) && bits >= 1 && bits < weightBits;
    return known ? [name, bits] : usage(`--precision takes ${form}, found "${name}=${text}"`);
  };
  return Object.fromEntries(pairs(options, "precision", "=", form).map(read));
}

export function labelsOf(options: Options): Readonly<Record<string, Label>> {
  const form = "name:client, name:server or name:public";
  const read = ([name, label]: readonly [string, string]): [string, Label] =>
    label !== "shared" && (labels as readonly string[]).includes(label)
      ? [name, label as Label]
      : usage(`--input takes ${form}, found "${label}"`);
  return Object.fromEntries(pairs(options, "input", ":", form).map(read));
}

export function revealsOf(options: Options): readonly { output: string; to: "client" | "server" }[] {
  return pairs(options, "reveal", ":", "name:client").map(([output, to]) =>
    to === "client" || to === "server" ? { output, to } : usage(`--reveal takes name:client, found "${to}"`),
  );
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

export function addressOf(options: Options, name: string): Address {
  const text = options.text(name)!;
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  const host = bracketed ?? plain;
  if (host === undefined || port > 65535) return usage(`--${name} takes host:port, found "${text}"`);
  return { host, port };
}

export const addressText = ({ host, port }: Address): string => `${host.includes(":") ? `[${host}]` : host}:${port}`;
