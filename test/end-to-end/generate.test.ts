import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkFlow } from "../../compiler/audit/check-flow.ts";
import type { Manifest } from "../../compiler/build/manifest.ts";
import { loadPartyBuild } from "../../compiler/build/party-build.ts";
import { type CommandIo, readOptions } from "../../compiler/cli/command.ts";
import { costCommand } from "../../compiler/cli/cost.ts";
import { generateCommand } from "../../compiler/cli/generate.ts";
import type { Compilation } from "../../compiler/compile/compile.ts";
import { readTokenizer } from "../../compiler/inputs/tokenizer.ts";
import { initKeys } from "../../compiler/keys/init-keys.ts";
import { readIdentity } from "../../compiler/keys/read-identity.ts";
import type { DecodeCost } from "../../compiler/report/cost/cost-report.ts";
import { schemas } from "../../compiler/report/text/schemas.ts";
import { type Forward, generate } from "../../compiler/run/generate-text.ts";
import { type LocalQuery, openLocal } from "../../compiler/run/local-session.ts";
import { startDealer } from "../../compiler/services/dealer-service.ts";
import { openRemoteSession } from "../../compiler/services/remote-session.ts";
import { startServer } from "../../compiler/services/server-service.ts";
import { predict } from "../../runtime/session/predict.ts";
import { violations } from "../cli/json-schema.ts";
import { dateOptions } from "../harness/shared-builds.ts";
import { build } from "./compiled.ts";

/*
 * The date model with its adapter generates text token by token: once over the whole window for every token, once from
 * what earlier tokens left. Every query of either is held against what was counted for it (openLocal).
 */
const fixture = resolve(import.meta.dirname, "../../fixtures/date-llama");
const dir = mkdtempSync(join(tmpdir(), "marillc-generate-"));
afterAll(() => rmSync(dir, { recursive: true }));
const privateLayers = 3;
let artifacts: Compilation;
let manifest: Manifest;

beforeAll(() => {
  artifacts = build(dir, {
    ...dateOptions,
    // One of the texts below begins with it, the other with the whole window.
    buckets: [22],
  });
  manifest = artifacts.manifest;
});

async function textOf(prompt: string, keep: boolean, maxTokens: number) {
  const session = await openLocal({ dir, inProcess: true, useCache: keep });
  const queries: LocalQuery[] = [];
  const made = await generate(
    manifest,
    readTokenizer(fixture),
    async (inputs, asked) => {
      queries.push(await session.query(inputs, asked));
      return queries.at(-1)!.outputs;
    },
    { prompt, maxTokens, useCache: keep },
  );
  const report = await session.end();
  expect(report.measured).toEqual(report.predicted);
  return { ...made, queries };
}

describe("generation with cached keys and values", () => {
  it.each([
    ["date 4/4/21 (m/d/y)=", 2],
    ["date 3rd of March, 1987=", 2],
  ] as const)("%s: the tokens equal those without a cache", async (prompt, count) => {
    const [kept, whole] = [await textOf(prompt, true, count), await textOf(prompt, false, count)];
    expect(kept.tokens).toEqual(whole.tokens);
    const online = ({ measured }: LocalQuery): number =>
      measured.bytes["client→server"] + measured.bytes["server→client"];
    const [first, ...others] = kept.queries;
    for (const step of others) expect(online(step)).toBeLessThan(online(first!) / 10);
    expect(first!.outputs.get("logits")!.tensor.shape[1]).toBe(prompt.length <= 22 ? 22 : 48);
  });

  it("a token after a short text sends as much as after a long one, except in attention", async () => {
    const { decode } = await loadPartyBuild(dir, "client");
    const [early, late] = [1, 47].map((place) => predict(decode!, place));
    const grown = [...late!.dealerByOperator].filter(([label, bytes]) => early!.dealerByOperator.get(label) !== bytes);
    expect(grown.length).toBe(privateLayers);
    const kept = manifest.decode!.kept.map(({ name }) => name.replace(/\.(key|value)$/, ""));
    expect(new Set(grown.map(([label]) => label))).toEqual(new Set(kept));
  });

  it("cost counts decoding beside the prefill, equal to the manifest and valid by its schema", async () => {
    const given: Readonly<Record<string, unknown>> = {};
    const io: CommandIo = {
      out: () => {},
      err: () => {},
      isTerminal: false,
      environment: {},
      interrupted: new Promise<void>(() => {}),
      onHangup: () => () => {},
      beforeSignal: () => () => {},
    };
    const { json, text } = await costCommand.run({
      args: [dir],
      options: readOptions(given),
      json: true,
      io,
      progress: () => {},
      warn: () => {},
    });
    const { decode } = json as { readonly decode: DecodeCost };
    const counted = ({ bytes }: { readonly bytes: object }) => Object.entries(bytes).filter(([, count]) => count > 0);
    expect(decode.places).toBe(manifest.decode!.places);
    for (const phase of ["offline", "online"] as const) {
      expect(counted(decode[phase])).toEqual(counted(manifest.decode!.predicted[phase]));
    }
    expect(violations(json, schemas.cost!)).toEqual([]);
    expect(text).toContain("at the last of 48 positions");
  });

  it("on a terminal the whole text follows the tokens, which have their costs between them", async () => {
    let [out, terminal] = ["", ""];
    const io: CommandIo = {
      out: (text) => {
        out += text;
      },
      err: () => {},
      isTerminal: true,
      environment: {},
      interrupted: new Promise<void>(() => {}),
      onHangup: () => () => {},
      beforeSignal: () => () => {},
    };
    await generateCommand.run({
      args: [dir],
      options: readOptions({ prompt: "date 4/4/21 (m/d/y)=", maxTokens: "2", inProcess: true, cache: true }),
      json: false,
      io,
      progress: (line) => {
        terminal += line;
      },
      warn: () => {},
    });
    expect(out).toBe("20");
    expect(terminal).toBe("\ndate 4/4/21 (m/d/y)=20");
  });

  it("a token takes at most 25 rounds per private layer", () => {
    const { rounds } = manifest.decode!.predicted.online;
    expect(Math.ceil(rounds / privateLayers)).toBeLessThanOrEqual(25);
  });
});

describe("generation with a server", () => {
  it("one session over TLS gives the same tokens", async () => {
    const { folders } = await initKeys(join(dir, "..", `${basename(dir)}-keys`));
    const [client, server, dealer] = await Promise.all(
      (["client", "server", "dealer"] as const).map((role) => readIdentity(folders[role])),
    );
    const log: string[] = [];
    const say = (line: string): void => void log.push(line);
    const listen = { host: "127.0.0.1", port: 0 };
    const dealing = await startDealer({ listen, identity: dealer!, log: say });
    const serving = await startServer({ dir, listen, dealer: dealing, identity: server!, log: say });
    const part = await loadPartyBuild(dir, "client");
    const session = await openRemoteSession({ part, identity: client!, server: serving, dealer: dealing });
    const asking = { prompt: "date 4/4/21 (m/d/y)=", maxTokens: 2, keep: true };
    const forward: Forward = async (inputs, asked) => (await session.query(inputs, asked)).outputs;
    const { text } = await generate(manifest, readTokenizer(fixture), forward, asking);
    const { queries, measured, predicted } = await session.end();
    expect(text).toBe("20");
    expect(queries).toBe(2);
    expect(measured.rounds).toBe(predicted.rounds);
    await Promise.all([serving.close(), dealing.close()]);
    expect(log.join("\n")).toContain("answered 2 queries");
    expect(log.join("\n")).toContain("dealt for 2 queries");
    rmSync(join(dir, "..", `${basename(dir)}-keys`), { recursive: true });
  });
});

describe("the build", () => {
  it("the flow checker accepts it, and refuses another opening in the decode program", () => {
    expect(checkFlow(artifacts.files).findings).toEqual([]);
    const changed = (path: string, edit: (text: string) => string) => {
      const files = new Map(artifacts.files);
      files.set(path, new TextEncoder().encode(edit(new TextDecoder().decode(files.get(path)))));
      return checkFlow(files).findings.map(({ at }) => at);
    };
    const opened = changed("client/decode.ts", (text) => text.replace('to: "client" } }', 'to: "server" } }'));
    expect(opened.some((at) => at.startsWith("client/decode."))).toBe(true);
    expect(changed("decode.mir", (text) => `${text}\n`)).not.toEqual([]);
    const shorter = changed("server/window-22.js", (text) => text.replace('to: "client"', 'to: "server"'));
    expect(shorter.some((at) => at.startsWith("server/window-22."))).toBe(true);
    const more = new Map([...artifacts.files, ["client/window-23.js", artifacts.files.get("client/window-22.js")!]]);
    expect(checkFlow(more).findings.map(({ code, at }) => `${code} ${at}`)).toContain("MRL0912 client/window-23.js");
    const without = new Map([...artifacts.files].filter(([path]) => path !== "dealer/decode.js"));
    expect(checkFlow(without).findings.map(({ at }) => at)).toContain("dealer/decode.js");
  });

  it("a party refuses a decode program of another compilation", async () => {
    const file = join(dir, "client/decode.js");
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replace(manifest.decode!.programHash, "0".repeat(64)));
    await expect(loadPartyBuild(dir, "client")).rejects.toThrow("MRL0616");
    writeFileSync(file, text);
  });
});
