import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createKeys } from "../../compiler/api/keys.ts";
import type { Service } from "../../compiler/api/running-service.ts";
import type { ServeOptions } from "../../compiler/api/services.ts";
import { deal, query, serve } from "../../compiler/api/services.ts";
import { loadManifest } from "../../compiler/build/party-build.ts";
import { readInputFiles } from "../../compiler/run/input-files.ts";
import { openOnnxSession } from "../../compiler/run/onnx-session.ts";
import type { RunResult } from "../../compiler/run/run-result.ts";
import { readNpz } from "../../compiler/tensors/npz.ts";
import { marillc, marillcJson } from "../cli/run-cli.ts";

const given = join(import.meta.dirname, "../../fixtures/cases/server-input");
const dir = mkdtempSync(join(tmpdir(), "marillc-server-input-"));
afterAll(() => rmSync(dir, { recursive: true }));
const at = (...names: readonly string[]): string => join(dir, ...names);

const model = join(given, "model.onnx");
const [xa, xb] = ["xa", "xb"].map((name) => join(given, "test", `${name}.npy`)) as [string, string];
const inputs = ["--input", `xa=${xa}`, "--input", `xb=${xb}`];
const compile = (out: string, ...more: readonly string[]) =>
  marillc(
    ...["compile", model, "--base", model, "--private", "*", "--calibrate", join(given, "calib")],
    ...["--input", "xb:server", "-o", at(out), ...(more.includes("--reveal") ? [] : ["--reveal", "y:client"]), ...more],
  );
const run = (out: string, ...more: readonly string[]) =>
  marillcJson<RunResult>("run", at(out), "--in-process", ...inputs, ...more);
const largest = (found: ArrayLike<number>, expected: Float64Array): number =>
  expected.reduce((most, x, k) => Math.max(most, Math.abs(x - found[k]!)), 0);

let expected: Float64Array;
beforeAll(async () => {
  const plain = await openOnnxSession(model);
  expected = (await plain.run(readInputFiles([`xa=${xa}`, `xb=${xb}`]))).get("y")!.tensor.data;
});

describe("features of one row at two companies", () => {
  test.each([
    ["2pc-dealer", []],
    ["3pc", []],
    ["3pc", ["--preset", "puma"]],
    ["2pc-dealer", ["--truncation", "exact"]],
    ["2pc-dealer", ["--preset", "crypten"]],
  ])("%s %j: the three parties compute what ONNX Runtime computes", async (setting, more) => {
    const out = `${setting}${more.join("")}`;
    expect(await compile(out, "--setting", setting, ...more)).toMatchObject({ code: 0, err: "" });
    for (const how of [[], ["--plain"]]) {
      const { code, json } = await run(out, ...how);
      expect(code).toBe(0);
      expect(largest(json.outputs.y!.data, expected)).toBeLessThan(more.includes("--preset") ? 2 ** -5 : 2 ** -8);
    }
  });

  describe("one build", () => {
    beforeAll(async () => {
      await compile("build");
    });

    test("the server computes its product in the clear, and shares the result", async () => {
      const { serverCuts, cuts, roles } = loadManifest(at("build"));
      expect(cuts.map(({ tensor }) => tensor)).toEqual(["xa"]);
      expect(serverCuts!.map(({ shape }) => shape)).toEqual([[4, 1]]);
      expect(roles.server).toBe("holds the private weights and its own inputs, receives nothing");
      const { out } = await marillc("check", at("build"));
      expect(out).toMatch(/the server shares +\S+ \[4, 1\]/);
      expect(out).toContain("computed from the client's input and the server's inputs and weights");
      expect(out).toContain("PASSED");
    });

    test("only the server has the layers that it computes in the clear", () => {
      expect(existsSync(at("build", "server", "private.onnx"))).toBe(true);
      for (const role of ["client", "dealer"]) expect(readdirSync(at("build", role))).not.toContain("private.onnx");
    });

    test("an input of either party is missing: the message says which", async () => {
      const { err } = await marillc("run", at("build"), "--in-process", "--input", `xa=${xa}`);
      expect(err).toContain('MRL0811: expected input "xb", found none');
    });

    test("a value beyond what the server's ring holds is refused before anything is sent", async () => {
      const file = at("far.json");
      writeFileSync(file, JSON.stringify({ xb: Array.from({ length: 4 }, () => Array(7).fill(1e9)) }));
      const { code, err } = await marillc("run", at("build"), "--in-process", "--input", `xa=${xa}`, "--input", file);
      expect(code).toBe(1);
      expect(err).toContain("MRL0813");
    });

    test("cost and inspect know the server's input", async () => {
      expect((await marillc("cost", at("build"))).code).toBe(0);
      const { out } = await marillc("inspect", at("build"));
      expect(out).toContain("input   xb  f32[4, 7]  of server");
      expect(out).toMatch(/shared {2}\S+ {2}\[4, 1\] {2}by the server/);
    });
  });

  test("the server reads too, and the client's input stays the client's", async () => {
    await compile("mutual", "--reveal", "y:both");
    const { json } = await run("mutual");
    expect(json.serverOutputs).toEqual(json.outputs);
    expect(largest(json.serverOutputs!.y!.data, expected)).toBeLessThan(2 ** -8);
  });

  test("both inputs are the server's: the client supplies nothing, and reads the result", async () => {
    await compile("all", "--input", "xa:server");
    const { json } = await run("all");
    expect(loadManifest(at("all")).cuts).toEqual([]);
    expect(largest(json.outputs.y!.data, expected)).toBeLessThan(2 ** -8);
  });

  test("a model whose weights are all public needs no private weight: the input is the secret", async () => {
    const options = ["--input", "xb:server", "--reveal", "y:client", "--calibrate", join(given, "calib")];
    const open = await marillc("compile", model, "--base", model, ...options, "-o", at("public"));
    expect(open).toMatchObject({ code: 0 });
    expect(largest((await run("public")).json.outputs.y!.data, expected)).toBeLessThan(2 ** -8);
    // Without a word on the weights it is refused, as ever.
    const silent = await marillc("compile", model, ...options, "-o", at("silent"));
    expect(silent.err).toContain("MRL0421");
    expect(silent.err).toContain("say that the weights are public: --base <the model itself>");
  });

  test("without calibration the same message asks for it as for a client's input", async () => {
    const of = (owner: string) =>
      marillc(
        ...["compile", model, "--base", model, "--private", "*", "--reveal", "y:client", "-o", at("none")],
        ...["--input", `xb:${owner}`],
      );
    const [server, client] = [await of("server"), await of("client")];
    expect(server.code).toBe(client.code);
    expect(server.err.includes("MRL0501")).toBe(client.err.includes("MRL0501"));
  });
});

describe("over the network", () => {
  const services: Service[] = [];
  let folders: Readonly<Record<string, string>>;
  beforeAll(async () => {
    await compile("served", "--reveal", "y:both");
    folders = (await createKeys({ folder: at("keys") })).folders;
    mkdirSync(at("records"));
    writeFileSync(at("records", "alice.npy"), readFileSync(xb));
  });
  afterEach(async () => {
    await Promise.all(services.splice(0).map((service) => service.close()));
  });

  async function deploy(more: Partial<ServeOptions>) {
    const log: string[] = [];
    const listen = { host: "127.0.0.1", port: 0 };
    const dealer = await deal({ listen, identity: folders.dealer! });
    services.push(dealer);
    const server = await serve({
      build: at("served", "server"),
      listen,
      dealer,
      identity: folders.server!,
      onLog: (line) => void log.push(line),
      ...more,
    });
    services.push(server);
    const ask = (record?: string) =>
      query({
        build: at("served", "client"),
        server,
        dealer,
        identity: folders.client!,
        inputs: { xa },
        ...(record !== undefined && { record }),
      });
    return { ask, log };
  }

  test("one input for all queries, and the server's own output", async () => {
    const answers: unknown[] = [];
    const output = at("answers");
    const { ask, log } = await deploy({ inputs: { xb }, onAnswer: (answer) => void answers.push(answer), output });
    const { outputs } = await ask();
    expect(largest(outputs.y!.data, expected)).toBeLessThan(2 ** -8);
    expect(answers).toMatchObject([{ query: 0, outputs: { y: { data: outputs.y!.data } } }]);
    const { session } = answers[0] as { session: string };
    const file = join(output, `${session.slice(0, 8)}-0.npz`);
    expect([...readNpz(readFileSync(file), file).get("y")!.tensor.data]).toEqual(outputs.y!.data);
    // A server whose disk takes no more answers its clients, and hands its own answer on.
    rmSync(output, { recursive: true });
    writeFileSync(output, "");
    await ask();
    expect(answers[1]).toMatchObject({ unsaved: true, outputs: { y: { shape: outputs.y!.shape } } });
    expect(log.join("\n")).toMatch(/session [0-9a-f]{8}: MRL0804 /);
  });

  test("a folder has a file for each record, and the client names the record", async () => {
    const answers: { record?: string }[] = [];
    const latest = at("latest.npz");
    const more = { onAnswer: (answer: { record?: string }) => void answers.push(answer), output: latest };
    const { ask } = await deploy({ inputFiles: [`xb=${at("records")}`], ...more });
    const { outputs } = await ask("alice");
    expect(largest(outputs.y!.data, expected)).toBeLessThan(2 ** -8);
    expect(answers.map(({ record }) => record)).toEqual(["alice"]);
    expect([...readNpz(readFileSync(latest), latest).keys()]).toEqual(["y"]);
  });

  test("a record that the server lacks ends the session; only the server's log says why", async () => {
    const { ask, log } = await deploy({ inputFiles: [`xb=${at("records")}`] });
    await expect(ask("bob")).rejects.toMatchObject({
      code: "MRL0729",
      message: expect.stringContaining("the server has no input of its own"),
    });
    const help = expect.stringContaining("query --record <name>");
    await expect(ask()).rejects.toMatchObject({ peerCode: "MRL0729", help });
    expect(log.join("\n")).toContain("has no file of record bob");
    expect(log.join("\n")).toContain("the query names no record");
  });

  test("a function finds the input; what it throws stays with the server", async () => {
    const secret = "alice is no customer of ours";
    const { ask, log } = await deploy({
      inputs: ({ record }) => {
        if (record !== "alice") throw new Error(secret);
        return { xb };
      },
    });
    expect(largest((await ask("alice")).outputs.y!.data, expected)).toBeLessThan(2 ** -8);
    await expect(ask("carol")).rejects.toSatisfy((error: Error) => !error.message.includes(secret));
    expect(log.join("\n")).toContain(secret);
  });

  test.each(["../alice", ".alice", "a/b", "", "a".repeat(65)])("the record %j is no name", async (record) => {
    const { ask } = await deploy({ inputFiles: [`xb=${at("records")}`] });
    await expect(ask(record)).rejects.toMatchObject({ name: "UsageError" });
  });

  test("a server without its input does not start", async () => {
    await expect(deploy({})).rejects.toMatchObject({ diagnostics: [{ code: "MRL0811" }] });
    await expect(deploy({ inputs: { xb, xa } })).rejects.toMatchObject({
      diagnostics: [{ code: "MRL0811", help: expect.stringContaining("it is the client's") }],
    });
  });

  test("an input beyond its ring is refused when the server starts", async () => {
    const far = Array.from({ length: 4 }, () => Array<number>(7).fill(1e9));
    await expect(deploy({ inputs: { xb: far } })).rejects.toMatchObject({ diagnostics: [{ code: "MRL0813" }] });
  });
});
