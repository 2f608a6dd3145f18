import { expect, test } from "vitest";
import { flagOf, optionAliases } from "../../compiler/cli/command.ts";
import { commands } from "../../compiler/cli/commands.ts";
import type { CostReport } from "../../compiler/report/cost/cost-report.ts";
import { marillc, marillcJson } from "./run-cli.ts";

/** Words of earlier help lines, which have standard terms now. */
const nonstandard =
  /\bplaces?\b|\bwhole numbers?\b|\bso many\b|\bstands? (for|against|beside)\b|\bmade least\b|\bt(old|ell)\b|\bin the clear\b|\bextents?\b|(?<!-)\btuned from\b|\bthe way to\b|\bnumerics\b/;

test("help has standard terms only", () => {
  const lines = commands.flatMap(({ summary, arguments: args, options }) => [
    summary,
    ...args.map(({ help }) => help),
    ...options.map(({ help }) => help),
  ]);
  expect(lines.filter((line) => nonstandard.test(line))).toEqual([]);
});

const aliases = optionAliases.flatMap(({ old, flag, commands: names }) =>
  names.map((name): readonly [name: string, old: string, flag: string] => [name, old, flag]),
);
const lists = (text: string, flag: string): boolean => new RegExp(`${flag}(?![\\w-])`).test(text);

test.each(aliases)("%s: neither help nor completion lists %s, both list %s", async (name, old, flag) => {
  const { out } = await marillc(name, "--help");
  expect([lists(out, old), lists(out, flag)]).toEqual([false, true]);
  for (const shell of ["bash", "zsh", "fish"]) {
    const { out: script } = await marillc("completion", shell);
    const shown = (option: string): string => (shell === "fish" ? `-l ${option.slice(2)}` : option);
    expect(lists(script, shown(old))).toBe(false);
    expect(lists(script, shown(flag))).toBe(true);
  }
});

/** A command line that ends before it reads a model, because of the value of its last option. */
const refused: Readonly<Record<string, readonly string[]>> = {
  "--preset": ["none.onnx", "delphi"],
  "--merged-lora": ["none.onnx", "0"],
  "--architecture": ["--dim", "seq=4", "bert-huge"],
  "--lora-rank": ["--architecture", "bert-tiny", "0"],
  "--merge-heads": ["--architecture", "bert-tiny", "0"],
};

test.each(aliases)("%s %s is the option %s", async (name, old, flag) => {
  const before = [name, ...refused[flag]!.slice(0, -1), ...(name === "compile" ? ["-o", "none"] : [])];
  const value = refused[flag]!.at(-1)!;
  const today = await marillc(...before, flag, value);
  expect(today.code).toBeGreaterThan(0);
  expect(today.err).toContain(value);
  expect(await marillc(...before, old, value)).toEqual(today);
  const both = await marillc(...before, flag, value, old, value);
  expect(both.code).toBe(2);
  expect(both.err).toMatch(new RegExp(`^error: .*${old} .*${flag}`));
});

test("a cost under old names is the cost under new names", async () => {
  const counted = async (...names: readonly string[]): Promise<CostReport> => {
    const values = ["llama-tiny", "4", "2", "crypten"];
    const options = names.flatMap((option, index) => [option, values[index]!]);
    const { code, json } = await marillcJson<CostReport>("cost", "--dim", "seq=4", "--private", "layers", ...options);
    expect(code).toBe(0);
    return json;
  };
  const today = await counted("--architecture", "--lora-rank", "--merge-heads", "--preset");
  expect(await counted("--shape", "--lora", "--merge", "--numerics")).toEqual(today);
});

test("every renamed option exists in each of its commands", () => {
  for (const [name, , flag] of aliases) {
    const { options } = commands.find((command) => command.name === name)!;
    expect(options.map(flagOf)).toContain(flag);
  }
});
