import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import type { CommandSpec } from "../../compiler/cli/command.ts";
import { commands } from "../../compiler/cli/commands.ts";

/** The files of examples/deploy: each command line in them is one of ours, with options that exist and no required one left out. */
const folder = resolve(import.meta.dirname, "../../examples/deploy");
const read = (name: string): string => readFileSync(join(folder, name), "utf8").replace(/\\\n/g, " ");

/** `ExecStart=<path>/marillc …`, comments `# … marillc …`, and lists under `command:`. */
function linesOf(name: string): readonly string[] {
  const text = read(name);
  const inline = [...text.matchAll(/^(?:ExecStart=\S*\/|# +)marillc ([^#\n]+)/gm)].map(([, line]) => line!);
  const lists = [...text.matchAll(/^ +command:\n((?: +- .*\n)+)/gm)].map(([, items]) =>
    items!
      .trim()
      .split("\n")
      .map((item) => item.trim().replace(/^- /, "").replace(/ .*/, ""))
      .join(" "),
  );
  return [...inline, ...lists];
}

const names = commands.map(({ name }) => name).sort((a, b) => b.length - a.length);
const specOf = (line: string): CommandSpec | undefined =>
  commands.find(({ name }) => name === names.find((each) => line.startsWith(`${each} `)));

const flagsIn = (line: string): readonly string[] => line.match(/(?<!\S)--?[a-z][a-z-]*/g) ?? [];

function faultsOf(line: string): readonly string[] {
  const spec = specOf(line);
  if (!spec) return [`${line}: no such command`];
  const known = spec.options.map(({ flags }) => flags.match(/(?<![\w<-])--?[a-z-]+/g) ?? []);
  const given = flagsIn(line);
  const unknown = given.filter((flag) => !known.flat().includes(flag));
  const left = spec.options.filter(
    ({ required }, k) => required && !given.some((flag) => (known[k] as string[]).includes(flag)),
  );
  return [...unknown, ...left.map(({ flags }) => flags)].map((flag) => `${line}: ${flag}`);
}

test.each([
  ["compose.yaml", ["deal", "generate", "keys init", "serve", "demo"]],
  ["marillc-server.service", ["serve"]],
  ["marillc-dealer.service", ["deal"]],
])("%s has command lines that exist", (name, expected) => {
  const lines = linesOf(name);
  expect(lines.map((line) => specOf(line)?.name).sort()).toEqual([...expected].sort());
  expect(lines.flatMap(faultsOf)).toEqual([]);
});

test("an option that does not exist is found, and one that is missing", () => {
  expect(faultsOf("deal --listen=a:1 --helth=b:1")).toEqual([
    "deal --listen=a:1 --helth=b:1: --helth",
    "deal --listen=a:1 --helth=b:1: --identity <dir>",
  ]);
});

test("whoever stops a service waits longer than its sessions may take", () => {
  const seconds = (text: string, pattern: RegExp): readonly number[] =>
    [...text.matchAll(pattern)].map(([, digits]) => Number(digits));
  for (const [name, stop] of [
    ["compose.yaml", /stop_grace_period: (\d+)s/g],
    ["marillc-server.service", /TimeoutStopSec=(\d+)/g],
    ["marillc-dealer.service", /TimeoutStopSec=(\d+)/g],
  ] as const) {
    const [drains, stops] = [seconds(read(name), /--drain-timeout[ =](\d+)/g), seconds(read(name), stop)];
    expect(drains.length).toBeGreaterThan(0);
    expect(Math.min(...stops)).toBeGreaterThan(Math.max(...drains));
  }
});

test("the image is made by the Node.js that package.json asks for, and has no key", () => {
  const text = read("Containerfile");
  expect([...text.matchAll(/^FROM node:(\d+)/gm)].every(([, major]) => Number(major) >= 20)).toBe(true);
  const ignored = readFileSync(resolve(folder, "../../.dockerignore"), "utf8").split("\n");
  expect(ignored).toEqual(expect.arrayContaining(["build", "node_modules"]));
});

test("no text in a list of the compose file is a mapping by mistake", () => {
  const mappings = (text: string): readonly string[] =>
    [...text.matchAll(/^ +- ([^"'[{\n].*)$/gm)].map(([, item]) => item!).filter((item) => item.includes(": "));
  expect(mappings(read("compose.yaml"))).toEqual([]);
  // `? 0 : 1` in a program without quotes.
  expect(mappings("test:\n    - exit(ok ? 0 : 1)\n")).toHaveLength(1);
});
