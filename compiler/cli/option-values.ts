import { existsSync } from "node:fs";
import { type Label, labels } from "../../ir/label.ts";
import type { Precision } from "../../ir/ops/define.ts";
import { defaultPrecision } from "../../passes/4-quantize/index.ts";
import type { LinkProfile } from "../../runtime/transport/index.ts";
import {
  defaultTolerance,
  endpointOf,
  linkOf,
  type ModelOptions,
  type Owner,
  type Reader,
  usage,
} from "../api/index.ts";
import type { Endpoint } from "../services/index.ts";
import { flagOfKey, type ParsedOptions } from "./command.ts";

/** `--link` of commands that take it once. */
export function readLink(options: ParsedOptions): LinkProfile | undefined {
  const text = options.text("link");
  return text === undefined ? undefined : linkOf(text);
}

/** @throws UsageError for anything but an integer from 1 */
export function readCount(options: ParsedOptions, name: string): number | undefined {
  const text = options.text(name);
  if (text === undefined) return undefined;
  const count = Number(text);
  return /^\d+$/.test(text) && count >= 1
    ? count
    : usage(`${flagOfKey(name)} takes an integer of at least 1, found "${text}"`);
}

/** A decimal number; `resolveOptions` checks its range. */
export function readMargin(options: ParsedOptions): number | undefined {
  const text = options.text("margin");
  if (text === undefined) return undefined;
  return /^\d{1,4}(\.\d+)?$/.test(text) ? Number(text) : usage(`--margin takes a number of 1 to 1024, found "${text}"`);
}

/** Names of layers, or all of them where an option has no name. */
export function readGuard(options: ParsedOptions): readonly string[] {
  const given: unknown = options.toggle("guard");
  return given === true ? ["all"] : Array.isArray(given) ? (given as readonly string[]) : [];
}

/** `16,32`. */
export function readBuckets(options: ParsedOptions): readonly number[] {
  const text = options.text("buckets");
  if (text === undefined) return [];
  if (!/^\d{1,6}(,\d{1,6})*$/.test(text))
    return usage(`--buckets takes prompt lengths in tokens, as 16,32, found "${text}"`);
  return text.split(",").map(Number);
}

/** `8` or `8@1e-3`. */
export function readMergedLora(options: ParsedOptions): ModelOptions["mergedLora"] {
  const text = options.text("mergedLora");
  if (text === undefined) return undefined;
  const [, rank, given] = /^(\d{1,5})(?:@(.+))?$/.exec(text) ?? [];
  const tolerance = given === undefined ? defaultTolerance : Number(given);
  if (Number(rank) >= 1 && tolerance >= 0 && tolerance < 1) return { rank: Number(rank), tolerance };
  return usage(`--merged-lora takes a rank and a tolerance below 1, as 8 or 8@1e-3, found "${text}"`);
}

/** `name=value` or `name:value` arguments of one option. */
function readPairs(
  options: ParsedOptions,
  name: string,
  separator: "=" | ":",
  form: string,
): readonly (readonly [string, string])[] {
  return options.list(name).map((text) => {
    // ONNX names may contain either sign, so the last one separates.
    const at = text.lastIndexOf(separator);
    return at > 0 ? [text.slice(0, at), text.slice(at + 1)] : usage(`--${name} takes ${form}, found "${text}"`);
  });
}

/** Sizes of at least `min`: 0 for a model, whose past may be empty, otherwise 1. */
export function readDims(options: ParsedOptions, min: 0 | 1): Readonly<Record<string, number>> {
  const read = ([name, text]: readonly [string, string]): [string, number] => {
    const size = Number(text);
    if (!/^\d+$/.test(text) || size < min) {
      usage(`--dim takes an integer of at least ${min} for ${name}, found "${text}"`);
    }
    return [name, size];
  };
  return Object.fromEntries(readPairs(options, "dim", "=", "name=size").map(read));
}

export function readFixedInputs(options: ParsedOptions): Readonly<Record<string, number>> {
  const read = ([name, text]: readonly [string, string]): [string, number] =>
    /^-?\d{1,9}$/.test(text) ? [name, Number(text)] : usage(`--fix takes an integer for ${name}, found "${text}"`);
  return Object.fromEntries(readPairs(options, "fix", "=", "name=integer").map(read));
}

/** More would leave a ring no room for products. */
const mostBits = 24;

/** `weight=14`. */
export function readPrecision(options: ParsedOptions): Partial<Precision> {
  const names = Object.keys(defaultPrecision);
  const form = `kind=bits with a kind of ${names.join(", ")} and 1 to ${mostBits} bits`;
  const read = ([name, text]: readonly [string, string]): [string, number] => {
    const bits = Number(text);
    const known = names.includes(name) && /^\d{1,2}$/.test(text) && bits >= 1 && bits <= mostBits;
    return known ? [name, bits] : usage(`--precision takes ${form}, found "${name}=${text}"`);
  };
  return Object.fromEntries(readPairs(options, "precision", "=", form).map(read));
}

export function ownersOf(options: ParsedOptions): Readonly<Record<string, Owner>> {
  const form = "name:client, name:server, name:public, name:shared or name:shared=<build>";
  // A path may contain colons.
  const made = (text: string): [string, Owner] | undefined => {
    const [, name, from] = /^(.+?):shared=(.+)$/.exec(text) ?? [];
    return name === undefined ? undefined : [name, { from: from! }];
  };
  const owned = (text: string): [string, Owner] => {
    const [, name, label] = /^(.+):([^:]*)$/.exec(text) ?? [];
    return name !== undefined && (labels as readonly string[]).includes(label!)
      ? [name, label as Label]
      : usage(`--input takes ${form}, found "${text}"`);
  };
  return Object.fromEntries(options.list("input").map((text) => made(text) ?? owned(text)));
}

/** The readers that `--reveal name:<reader>` names. */
const readersByName: Readonly<Record<string, readonly Reader[]>> = {
  client: ["client"],
  server: ["server"],
  both: ["client", "server"],
  shared: ["shared"],
};

export function readReveals(options: ParsedOptions): Readonly<Record<string, readonly Reader[]>> {
  const reveals: Record<string, readonly Reader[]> = {};
  const form = "name:client, name:server, name:both or name:shared";
  for (const [output, to] of readPairs(options, "reveal", ":", form)) {
    const readers = Object.hasOwn(readersByName, to)
      ? readersByName[to]!
      : usage(`--reveal takes ${form}, found "${to}"`);
    // An output may have any name, `__proto__` too.
    const value = [...(Object.hasOwn(reveals, output) ? reveals[output]! : []), ...readers];
    Object.defineProperty(reveals, output, { value, enumerable: true, configurable: true });
  }
  return reveals;
}

/** A path, or paths with plus signs between them. A folder may have one in its name. */
function summedPaths(text: string): string | readonly string[] {
  const parts = text.split("+");
  return parts.length > 1 && !existsSync(text) ? parts : text;
}

/** `path`, `a+b`, or several `name=path`. */
export function readAdapters(options: ParsedOptions): ModelOptions["adapter"] {
  const given = options.list("adapter").map((text) => {
    const [, name, path] = /^([^=/\\]+)=(.+)$/.exec(text) ?? [];
    return name !== undefined && !existsSync(text) ? { name, path: path! } : { name: undefined, path: text };
  });
  const [first, ...others] = given;
  if (!first) return undefined;
  if (others.length === 0 && first.name === undefined) return summedPaths(first.path);
  if (given.some(({ name }) => name === undefined)) {
    const [a, b] = given.map(({ path }) => path);
    const sum = `--adapter ${a}+${b} for both at once`;
    return usage(
      `several adapters need names, --adapter x=${a} --adapter y=${b}, of which the server chooses; or ${sum}`,
    );
  }
  return Object.fromEntries(given.map(({ name, path }) => [name!, summedPaths(path)]));
}

/** The `host:port` of a required option. */
export const readAddress = (options: ParsedOptions, name: string): Endpoint => endpointOf(options.text(name)!, name);
