import type { ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadPartyBuild } from "../../compiler/build/party-build.ts";
import type { CommandSpec } from "../../compiler/cli/command.ts";
import { commands } from "../../compiler/cli/commands.ts";
import { readTokenizer } from "../../compiler/inputs/tokenizer.ts";
import { schemas } from "../../compiler/report/text/schemas.ts";
import { checkInputs, readInputFiles } from "../../compiler/run/input-files.ts";
import { openLocal } from "../../compiler/run/local-session.ts";
import type { OutputJson, RunResult } from "../../compiler/run/run-result.ts";
import { violations } from "../cli/json-schema.ts";
import { finish, listening, requireBuilt, run, start } from "./spawned.ts";

/*
 * The examples of the help, as they are printed, on the date model: a language model of six layers with a LoRA adapter
 * on its last three. Then the same query in one process, in threads, over a shaped link and over TLS.
 */
const root = resolve(import.meta.dirname, "../..");
const dir = mkdtempSync(join(tmpdir(), "marillc-date-"));
const build = join(dir, "build/date");
/** The file of the examples is what this text becomes. */
const prompt = "date 3rd of March, 1987=";
const promptFile = join(root, "fixtures/date-llama/prompt.json");
const services: ChildProcess[] = [];
let length = 0;
let last = 0;

const exampleOf = (name: string, which = 0): string =>
  (commands.find((command) => command.name === name) as CommandSpec).examples[which]!;

async function succeed(line: string): Promise<string> {
  const { code, out, err } = await run(line, dir);
  expect({ line, code, err: code === 0 ? "" : err }).toEqual({ line, code: 0, err: "" });
  return out;
}

const json = async (line: string): Promise<RunResult> => JSON.parse(await succeed(line)) as RunResult;

/** The most likely next token after the prompt. */
function answerOf({ shape, data }: OutputJson): number {
  const row = data.slice((last - 1) * shape[2]!, last * shape[2]!);
  return row.indexOf(Math.max(...row));
}

beforeAll(async () => {
  requireBuilt();
  symlinkSync(join(root, "fixtures"), join(dir, "fixtures"));
  mkdirSync(join(dir, "build"));
  const tokens = readTokenizer(join(root, "fixtures/date-llama"));
  const ids = tokens.encode(prompt);
  last = ids.length;
  await succeed(exampleOf("compile"));
  const { manifest } = await loadPartyBuild(build, "client");
  length = manifest.inputs[0]!.shape[1]!;
  const data = Array.from({ length }, (_, place) => ids[place] ?? tokens.padToken);
  expect(JSON.parse(readFileSync(promptFile, "utf8"))).toEqual({
    input_ids: { dtype: "int64", shape: [1, length], data },
  });
});
afterAll(() => {
  for (const child of services) child.kill();
  rmSync(dir, { recursive: true });
});

const alone = ["demo", "check", "inspect", "cost", "generate", "doctor", "completion"];
const lines = commands.filter(({ name }) => alone.includes(name)).flatMap(({ examples }) => examples);

test.each(lines)("%s", async (line) => {
  expect(await succeed(line)).not.toBe("");
});

test("the example of evaluate, whose JSON is a document of the published schema", async () => {
  const found = await json(`${exampleOf("evaluate")} --json`);
  expect(violations(found, schemas.evaluate!)).toEqual([]);
});

/** In an order in which each finds what it needs. */
const keyCommands = ["keys init", "keys accept", "keys invite", "keys trust", "keys list", "keys renew", "keys revoke"];

test("every command has an example that is run here", () => {
  const tested = [...alone, ...keyCommands, "evaluate", "compile", "run", "deal", "serve", "query"];
  const unbuilt = ["debug", "rewrite"];
  expect(commands.map(({ name }) => name).filter((name) => ![...tested, ...unbuilt].includes(name))).toEqual([]);
});

test("the same answer in one process, in threads, over a shaped link and over TLS", async () => {
  const { manifest } = await loadPartyBuild(build, "client");
  const session = await openLocal({ dir: build, inProcess: true });
  const { outputs } = await session.query(checkInputs(manifest, readInputFiles([promptFile])));
  const report = await session.end();
  const logits = outputs.get("logits")!.tensor;
  const answer = answerOf({ shape: logits.shape, data: [...logits.data], type: "f32" });
  expect(readTokenizer(join(build, "client")).decode([answer])).toBe("1");

  await succeed(exampleOf("run"));
  const shaped = await json(exampleOf("run", 1));
  expect(answerOf(shaped.outputs.logits!)).toBe(answer);
  expect(shaped.measured!.bytes).toEqual(report.measured.bytes);

  for (const name of keyCommands) await succeed(exampleOf(name));
  await succeed(exampleOf("keys init", 1));
  const serving = async (line: string): Promise<string> => {
    const child = start(line, dir);
    services.push(child);
    return listening(child);
  };
  // Ports of the examples may be taken on this machine.
  const free = (line: string): string => line.replace(/--listen \S+/, "--listen 127.0.0.1:0");
  const dealer = await serving(free(exampleOf("deal")));
  const server = await serving(free(exampleOf("serve")).replace(/--dealer \S+/, `--dealer ${dealer}`));
  const asking = exampleOf("query")
    .replace(/--dealer \S+/, `--dealer ${dealer}`)
    .replace(/--server \S+/, `--server ${server}`);
  const remote = await json(`${asking} --json`);
  expect(violations(remote, schemas.query!)).toEqual([]);
  expect(answerOf(remote.outputs.logits!)).toBe(answer);
  expect(remote.predicted).toEqual(report.predicted);
  expect(remote.measured!.rounds).toBe(report.measured.rounds);
  for (const [link, bytes] of Object.entries(remote.measured!.bytes)) {
    expect([link, bytes]).toEqual([link, report.measured.bytes[link as "client→server"]]);
  }

  const lost = await run(`${asking.replace(dealer, "127.0.0.1:1")} --patience 0`, dir);
  expect(lost.code).toBe(3);
  expect(lost.err).toMatch(
    /^this build has no guard: .*\nerror MRL0723: cannot reach the dealer.*\n {2}at .*\n {2}help .*\n$/,
  );
  await succeed(`marillc doctor --server ${server} --dealer ${dealer} --identity build/keys/client`);

  const [serverProcess] = services.slice(1);
  const ended = finish(serverProcess!);
  serverProcess!.kill("SIGTERM");
  expect((await ended).code).toBe(0);
});
