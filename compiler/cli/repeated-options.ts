import type { Command } from "commander";
import { usage } from "../api/index.ts";
import { inputFileOf } from "../run/index.ts";
import { flagOf, type OptionSpec, type optionAliases } from "./command.ts";

/** What a value `name=…` is about, whose rest may be a path: the first sign separates. */
export const nameBeforeEquals = (value: string): string | undefined => /^([^=]+)=/.exec(value)?.[1];

/** What a value `name=number` is about. ONNX names may contain signs, so the last one separates. */
export const nameBeforeNumber = (value: string): string | undefined => /^(.+)=[^=]*$/.exec(value)?.[1];

/** The input that a file is for; none for a file that names its tensors. */
export const inputName = (value: string): string | undefined => inputFileOf(value).name || undefined;

/** What a value `name:…` is about. ONNX names may contain colons, so the last one separates. */
export const nameBeforeColon = (value: string): string | undefined =>
  /^(.+?):shared=/.exec(value)?.[1] ?? /^(.+):[^:]*$/.exec(value)?.[1];

type Aliases = typeof optionAliases;

/**
 * Refuses whatever is said twice, under one name or under an old and a new one: an option that takes one value, a flag,
 * and two values of one subject (`OptionSpec.subject`). The last one never wins in silence.
 */
export function refuseSaidTwice(command: Command, options: readonly OptionSpec[], aliases: Aliases): void {
  for (const option of options) {
    const present = flagOf(option);
    const said = new Map<string, string>();
    for (const flag of [present, ...aliases.filter((alias) => alias.flag === present).map(({ old }) => old)]) {
      command.on(`option:${flag.slice(2)}`, (value?: string | null) => {
        const given = typeof value !== "string" ? flag : `${flag} ${value}`;
        const subject = option.repeats ? option.subject?.(value ?? "") : present;
        if (subject === undefined) return;
        const before = said.get(subject);
        if (before === undefined) said.set(subject, given);
        else usage(refusal(present, before, given, option.repeats ? subject : undefined));
      });
    }
  }
}

function refusal(flag: string, before: string, given: string, subject: string | undefined): string {
  const found = before === given ? `${given} twice` : `${before} and ${given}`;
  return `${found}: ${flag} may be given once${subject === undefined ? "" : ` for ${subject}`}`;
}
