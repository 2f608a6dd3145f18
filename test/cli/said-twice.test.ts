import { expect, test } from "vitest";
import { flagOf, type OptionSpec, optionAliases } from "../../compiler/cli/command.ts";
import { commands } from "../../compiler/cli/commands.ts";
import { marillc } from "./run-cli.ts";

const takesValue = ({ flags }: OptionSpec): boolean => flags.includes("<");
const argumentsOf = (count: number): readonly string[] => Array.from({ length: count }, (_, k) => `file${k}`);

/** Every option of every command, with the values that make one use of it complete. */
const options = commands.flatMap(({ name, arguments: taken, options: all }) =>
  all.map((option) => ({
    name,
    words: [...name.split(" "), ...argumentsOf(taken.length)],
    option,
    flag: flagOf(option),
  })),
);
const single = options.filter(({ option }) => !option.repeats);

test.each(
  single.map((each) => [`${each.name} ${each.flag}`, each] as const),
)("%s given twice is wrong usage", async (_, { words, option, flag }) => {
  const [one, other] = takesValue(option)
    ? [
        [flag, "a"],
        [flag, "b"],
      ]
    : [[flag], [flag]];
  const { code, out, err } = await marillc(...words, ...one, ...other);
  expect(code).toBe(2);
  // With --json the message stands on stdout.
  expect(out + err).toMatch(new RegExp(`error.*${one.join(" ")} .*: ${flag} may be given once`));
});

test.each(
  optionAliases.flatMap(({ old, flag, commands: names }) => names.map((name) => [name, old, flag] as const)),
)("%s takes %s or %s, each once", async (name, old, flag) => {
  const mixed = [
    [old, flag],
    [flag, old],
    [old, old],
  ] as const;
  for (const [first, second] of mixed) {
    const { code, err } = await marillc(name, "model.onnx", first, "a", second, "b");
    expect(code).toBe(2);
    expect(err).toBe(`error: ${first} a and ${second} b: ${flag} may be given once\n`);
  }
});

test("a short flag and its long form are one option", async () => {
  const { code, err } = await marillc("compile", "model.onnx", "-o", "a", "--output", "b");
  expect(code).toBe(2);
  expect(err).toContain("--output may be given once");
});

test.each([
  [["compile", "m.onnx", "-o", "b"], "--input", "x:client", "x:server", "x"],
  [["compile", "m.onnx", "-o", "b"], "--input", "a:b:client", "a:b:server", "a:b"],
  [["compile", "m.onnx", "-o", "b"], "--dim", "seq=4", "seq=8", "seq"],
  [["compile", "m.onnx", "-o", "b"], "--fix", "mask=0", "mask=1", "mask"],
  [["compile", "m.onnx", "-o", "b"], "--precision", "weight=10", "weight=12", "weight"],
  [["rewrite", "m.onnx", "-o", "b"], "--dim", "seq=4", "seq=8", "seq"],
  [["run", "b"], "--input", "x=a.npy", "x=b.npy", "x"],
  [["query", "b", "--server", "h:1", "--dealer", "h:2", "--identity", "i"], "--input", "x=a.npy", "x=b.npy", "x"],
] as const)("%j %s takes one value for each subject", async (words, flag, first, second, subject) => {
  const { code, err } = await marillc(...words, flag, first, flag, second);
  expect(code).toBe(2);
  expect(err).toBe(`error: ${flag} ${first} and ${flag} ${second}: ${flag} may be given once for ${subject}\n`);
});

test("the same words twice are said so", async () => {
  const { code, err } = await marillc("compile", "m.onnx", "-o", "b", "--reveal", "y:client", "--reveal", "y:client");
  expect(code).toBe(2);
  expect(err).toBe("error: --reveal y:client twice: --reveal may be given once for y:client\n");
});
