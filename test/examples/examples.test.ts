import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { requireBuilt } from "../end-to-end/spawned.ts";

/** The programs of examples/, as readers run them: the package that they import is this checkout's own dist. */
const examples = resolve(import.meta.dirname, "../../examples");
const folder = mkdtempSync(join(tmpdir(), "marillc-examples-"));
const build = join(folder, "date");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = async (name: string, ...args: readonly string[]): Promise<string> => {
  const env = { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined };
  const { stdout } = await promisify(execFile)(process.execPath, [join(examples, name), ...args], { cwd: folder, env });
  return stdout;
};

beforeAll(requireBuilt);

describe("each program of examples/ runs and prints what it promises", () => {
  test("compile-and-run.mjs: a build that passes the flow checker, the answer, and the predicted rounds", async () => {
    expect((await run("compile-and-run.mjs", build)).split("\n").slice(1)).toEqual([
      "passed logits to the client, logits to the client",
      "next token 21",
      "89 rounds online, predicted 89",
      "",
    ]);
  });

  test("three-parties.mjs: the same answer over TLS, and services that end with the signal", async () => {
    const out = await run("three-parties.mjs", build);
    expect(out).toContain("session …: answered 1 query");
    expect(out).toContain("next token 21");
    expect(out).toContain("'client→server': 1797306");
  });

  test("token-by-token.mjs: four tokens, then the signal", async () => {
    const lines = (await run("token-by-token.mjs", build)).trimEnd().split("\n");
    expect(lines.map((line) => line.split(" rounds")[0])).toEqual([
      '"1" 89',
      '"9" 74',
      '"8" 74',
      '"7" 74',
      "1987: the year is complete",
    ]);
  });

  test("cost-before-running.mjs: half of the layers frozen saves, and the budget is exceeded", async () => {
    const out = await run("cost-before-running.mjs");
    const rounds = [...out.matchAll(/^(?:layers|lf0\.5): (\d+) rounds/gm)].map(([, count]) => Number(count));
    expect(rounds).toHaveLength(2);
    expect(rounds[1]).toBeLessThan(rounds[0]! * 0.6);
    expect(out).toContain("base-ts17: over budget [ 'one query: 89 rounds, at most 80 allowed' ]");
  });

  test("own-protocol.mjs: the squares", async () => {
    expect(await run("own-protocol.mjs")).toContain("x² [ 9, 49, 998001 ]");
  });
});

test("each is shorter than 60 lines and listed in the README", () => {
  const readme = readFileSync(join(examples, "README.md"), "utf8");
  for (const name of readdirSync(examples).filter((each) => each.endsWith(".mjs"))) {
    expect(readFileSync(join(examples, name), "utf8").split("\n").length).toBeLessThan(60);
    expect(readme).toContain(`[${name}](${name})`);
  }
});
