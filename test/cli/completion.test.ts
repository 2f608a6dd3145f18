import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { commands } from "../../compiler/cli/commands.ts";
import { marillc, marillcJson } from "./run-cli.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-completion-"));
afterAll(() => rmSync(dir, { recursive: true }));
const scriptOf = (shell: string): string => join(dir, `marillc.${shell}`);

beforeAll(async () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    const { code, out } = await marillc("completion", shell);
    expect(code).toBe(0);
    writeFileSync(scriptOf(shell), out);
  }
  writeFileSync(join(dir, "model.onnx"), "");
});

/** What bash offers at the end of a line; the last word may be empty. */
function offered(...words: readonly string[]): string[] {
  const script = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _marillc; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const argv = ["--norc", "-c", script, "bash", scriptOf("bash"), "marillc", ...words];
  return execFileSync("bash", argv, { cwd: dir, encoding: "utf8" }).split("\n").filter(Boolean);
}

const visible = commands.filter(({ hidden }) => !hidden);

describe("bash", () => {
  test("offers every command that help lists, and no other", () => {
    const first = [...new Set(visible.map(({ name }) => name.split(" ")[0]!))];
    expect(offered("").sort()).toEqual([...first, "--help", "--version"].sort());
    expect(offered("co")).toEqual(["compile", "cost", "completion"]);
    expect(offered("keys", "")).toEqual(["init", "accept", "invite", "trust", "revoke", "list", "renew", "--help"]);
  });

  test.each(visible.map(({ name, options }) => [name, options] as const))("%s: its options", (name, options) => {
    const flags = options
      .filter(({ hidden }) => !hidden)
      .flatMap(({ flags: text }) => text.replace(/ [<[].*/, "").split(", "));
    const last = name.split(" ").at(-1) === "completion" ? "bash" : "x";
    expect(offered(...name.split(" "), last, "-").sort()).toEqual([...flags, "--help"].sort());
  });

  test("offers the values of an option that has a few, and files elsewhere", () => {
    expect(offered("compile", "m", "--setting", "")).toEqual(["2pc-dealer", "3pc"]);
    expect(offered("cost", "--architecture", "llama-")).toContain("llama-7b");
    expect(offered("inspect", "m", "--stage", "se")).toEqual(["select"]);
    expect(offered("check", "mod")).toEqual(["model.onnx"]);
    expect(offered("completion", "")).toEqual(["bash", "zsh", "fish"]);
    expect(offered("compile", "m", "--calibrate", "mod")).toEqual(["model.onnx"]);
  });
});

test.each([
  "zsh",
  "fish",
])("%s: every command and option is in the script, and the shell reads it where it is there", (shell) => {
  const text = readFileSync(scriptOf(shell), "utf8");
  for (const { name, options } of visible) {
    expect(text).toContain(name.split(" ").at(-1)!);
    for (const { flags } of options.filter(({ hidden }) => !hidden)) {
      const long = /--([a-z-]+)/.exec(flags)![1]!;
      expect(text).toContain(shell === "fish" ? `-l ${long}` : `--${long}[`);
    }
  }
  expect(text).toMatch(/bash zsh fish/);
  const parsed = spawnSync(shell, ["-n", scriptOf(shell)], { encoding: "utf8" });
  if (parsed.error === undefined) expect(parsed.stderr).toBe("");
});

test("--json has the script in one document", async () => {
  const { json } = await marillcJson<{ readonly shell: string; readonly script: string }>("completion", "bash");
  expect(json.shell).toBe("bash");
  expect(json.script).toContain("complete -o filenames -F _marillc marillc");
});
