import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { check, checkBuild } from "../../../compiler/api/check.ts";
import { type CompileResult, compile } from "../../../compiler/api/compile.ts";
import { cost } from "../../../compiler/api/cost.ts";
import { doctor } from "../../../compiler/api/doctor.ts";
import { UsageError } from "../../../compiler/api/errors.ts";
import { acceptInvite, createKeys, type KeysResult } from "../../../compiler/api/keys.ts";
import { run } from "../../../compiler/api/run.ts";
import { deal, query, serve } from "../../../compiler/api/services.ts";
import { schemas } from "../../../compiler/report/text/schemas.ts";
import { DiagnosticError } from "../../../ir/diagnostic.ts";
import { SessionError } from "../../../runtime/core/errors.ts";
import { violations } from "../../cli/json-schema.ts";
import { type TinyFiles, writeTiny } from "../../end-to-end/tiny-model.ts";

/** The library as a caller sees it; what the commands print of it is tested in test/cli. */
const dir = mkdtempSync(join(tmpdir(), "marillc-api-"));
const build = join(dir, "build");
const tokens = [[1, 2, 3, 4]];
let files: TinyFiles;
let compiled: CompileResult;
let keys: KeysResult;

beforeAll(async () => {
  files = writeTiny(join(dir, "model"));
  const { model, base, calibration: calibrate } = files;
  compiled = await compile({ model, base, calibrate, reveal: { logits: "client" }, link: "lan", output: build });
  keys = await createKeys({ folder: join(dir, "keys") });
});
afterAll(() => rmSync(dir, { recursive: true }));

describe("compile, check and cost", () => {
  test("a build is written, counted, and passes", async () => {
    expect(compiled.directory).toBe(build);
    expect(compiled.chosenFor.link.name).toBe("lan");
    expect(compiled.files["server/program.js"]).toBe(readFileSync(join(build, "server/program.js")).length);
    const checked = checkBuild({ build });
    expect(checked.passed).toBe(true);
    expect(checked.opened.map(({ tensor, to }) => [tensor, to])).toEqual([["logits", "client"]]);
    const counted = await cost({ build, links: ["wan", { name: "ours", mbitPerSecond: 10, roundTripMs: 5 }] });
    expect(compiled.predicted.online).toMatchObject(counted.totals.online);
    expect(counted.links?.map(({ link }) => link)).toEqual(["wan", "ours"]);
  });

  test("results are documents of the published schemas", async () => {
    const { manifest: _, ...json } = compiled;
    expect(violations(json, schemas.compile!)).toEqual([]);
    expect(violations(await check({ model: files.model }), schemas.check!)).toEqual([]);
    expect(violations(await cost({ build }), schemas.cost!)).toEqual([]);
    expect(violations(await run({ build, inputs: { tokens }, inProcess: true }), schemas.run!)).toEqual([]);
    expect(violations(keys, schemas["keys init"]!)).toEqual([]);
    const accepted = await acceptInvite({ invite: keys.invites.client, folder: join(dir, "own-key") });
    expect(violations(accepted, schemas["keys accept"]!)).toEqual([]);
    expect(accepted).toMatchObject({ role: "client", certificate: join(dir, "own-key", "cert.pem") });
    expect(violations(await doctor(), schemas.doctor!)).toEqual([]);
  });

  test("a budget and an earlier result are taken as they are", async () => {
    const before = await cost({ build });
    const after = await cost({ build, diff: before, budget: { rounds: 1 } });
    expect(after.diff).toEqual([]);
    expect(after.exceeded).toHaveLength(1);
  });

  test("options that are undefined are options that are not given", async () => {
    const options = { model: files.model, base: undefined, dims: undefined, link: undefined };
    expect((await check(options as { model: string })).passed).toBe(true);
  });
});

describe("inputs", () => {
  test("nested lists, a tensor and a file are the same input", async () => {
    const lists = await run({ build, inputs: { tokens }, plain: true });
    const tensor = { shape: [1, 4], data: BigInt64Array.of(1n, 2n, 3n, 4n) };
    expect(await run({ build, inputs: { tokens: tensor }, plain: true })).toEqual(lists);
    const file = await run({ build, inputs: { tokens: files.input }, plain: true });
    expect(await run({ build, inputFiles: [`tokens=${files.input}`], plain: true })).toEqual(file);
  });

  test("what does not fit carries its diagnostics", async () => {
    const error = await run({ build, inputs: { tokens: [[1, 2]], other: [1] } }).catch((found: unknown) => found);
    expect(error).toBeInstanceOf(DiagnosticError);
    expect((error as DiagnosticError).diagnostics.map(({ code }) => code).sort()).toEqual(["MRL0811", "MRL0812"]);
    const wrong = { shape: [1, 4], data: [1, 2, 3] };
    await expect(run({ build, inputs: { tokens: wrong } })).rejects.toThrow(UsageError);
    await expect(run({ build, inputs: { tokens }, repeat: 0 })).rejects.toThrow(
      /repeat: expected an integer of at least 1, found 0/,
    );
  });
});

describe("services", () => {
  const log: string[] = [];
  const listening = (signal: AbortSignal) => ({
    listen: "127.0.0.1:0",
    signal,
    onLog: (line: string) => log.push(line),
  });

  test("three parties answer what the same program answers here, and end with the signal", async () => {
    const stop = new AbortController();
    const dealer = await deal({ ...listening(stop.signal), identity: keys.folders.dealer });
    const to = `127.0.0.1:${dealer.port}`;
    const server = await serve({ ...listening(stop.signal), build, dealer: to, identity: keys.folders.server });
    const asked = { build, server, dealer: to, identity: keys.folders.client, inputs: { tokens } };
    const { outputs, measured } = await query(asked);
    const here = await run({ build, inputs: { tokens }, inProcess: true });
    expect(outputs.logits?.shape).toEqual(here.outputs.logits?.shape);
    expect(measured?.bytes["client→server"]).toBe(here.measured?.bytes["client→server"]);

    await expect(query({ ...asked, signal: AbortSignal.abort("enough") })).rejects.toBe("enough");
    stop.abort();
    await Promise.all([dealer.closed, server.closed]);
    expect(log.some((line) => line.includes("answered 1 query"))).toBe(true);
    await expect(query({ ...asked, patience: 0 })).rejects.toThrow(SessionError);
  });

  test("the identity of another role is refused, and an address that is none", async () => {
    const wrong = { listen: "127.0.0.1:0", identity: keys.folders.client };
    await expect(deal(wrong)).rejects.toThrow(/MRL0738/);
    await expect(deal({ ...wrong, listen: "here" })).rejects.toThrow(UsageError);
  });

  test("a signal that has come starts nothing", async () => {
    const signal = AbortSignal.abort("too late");
    await expect(deal({ ...listening(signal), identity: keys.folders.dealer })).rejects.toBe("too late");
    await expect(run({ build, inputs: { tokens }, signal })).rejects.toBe("too late");
  });

  test("a signal between queries drops the parties of a run", async () => {
    const stop = new AbortController();
    const progress: string[] = [];
    const onProgress = (line: string) => {
      progress.push(line);
      stop.abort("after one");
    };
    const running = run({ build, inputs: { tokens }, repeat: 50, inProcess: true, signal: stop.signal, onProgress });
    await expect(running).rejects.toBe("after one");
    expect(progress.length).toBeLessThan(5);
  });
});
