import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Manifest } from "../../compiler/build/manifest.ts";
import { loadPartyBuild } from "../../compiler/build/party-build.ts";
import { initKeys } from "../../compiler/keys/init-keys.ts";
import { readIdentity } from "../../compiler/keys/read-identity.ts";
import type { CostReport } from "../../compiler/report/cost/cost-report.ts";
import { checkInputs, readInputFiles } from "../../compiler/run/input-files.ts";
import { openLocal } from "../../compiler/run/local-session.ts";
import type { RunResult } from "../../compiler/run/run-result.ts";
import { startDealer } from "../../compiler/services/dealer-service.ts";
import { queryServer } from "../../compiler/services/remote-session.ts";
import { startServer } from "../../compiler/services/server-service.ts";
import type { Endpoint } from "../../compiler/services/service.ts";
import { declaredError } from "../../scripts/tables/declared-error.ts";
import { marillc, marillcJson } from "../cli/run-cli.ts";
import { largestDifference } from "./declared-error.ts";
import { type TinyFiles, writeTiny } from "./tiny-model.ts";

/** The setting 3pc: the third party deals, and readers know it as the helper. */
const dir = mkdtempSync(join(tmpdir(), "marillc-3pc-"));
const build = join(dir, "build");
const twoParties = join(dir, "two");
let files: TinyFiles;

beforeAll(async () => {
  files = writeTiny(join(dir, "model"));
  const compiling = [files.model, "--base", files.base, "--reveal", "logits:client", "--calibrate", files.calibration];
  for (const [setting, to] of [
    ["3pc", build],
    ["2pc-dealer", twoParties],
  ] as const) {
    const { code, err } = await marillc("compile", ...compiling, "--setting", setting, "-o", to);
    expect({ code, err }).toEqual({ code: 0, err: "" });
  }
});
afterAll(() => rmSync(dir, { recursive: true }));

const run = (...more: readonly string[]) =>
  marillcJson<RunResult>("run", build, "--input", `tokens=${files.input}`, ...more);

const inputs = async () => {
  const { manifest } = await loadPartyBuild(build, "client");
  return checkInputs(manifest, readInputFiles([`tokens=${files.input}`]));
};

test("three parties answer two queries within the declared error", async () => {
  const { code, json } = await run("--in-process", "--repeat", "2");
  expect(code).toBe(0);
  expect(json.setting).toBe("3pc");
  expect(json.security).toContain("honest majority");
  expect(json.measured!.bytes).toEqual(json.predicted!.bytes);
  expect(Object.keys(json.measured!.bytes).filter((link) => link.includes("dealer"))).toEqual([]);
  expect(json.measured!.bytes["helper→server"]).toBeGreaterThan(0);
  expect(Object.keys(json.measured!.peakMegabytes).sort()).toEqual(["client", "helper", "server"]);
  const exact = (await run("--plain")).json.outputs.logits!.data;
  expect(largestDifference(exact, json.outputs.logits!.data)).toBeLessThanOrEqual(
    await declaredError(build, files.input),
  );
});

test("every report calls the third party helper, and its folder is dealer", async () => {
  const text = readFileSync(join(build, "manifest.json"), "utf8");
  const { roles, predicted } = JSON.parse(text) as Manifest;
  expect(Object.keys(roles)).toEqual(["client", "server", "helper"]);
  expect(Object.keys(predicted.offline.bytes)).toContain("helper→server");
  const { json, out } = { ...(await marillcJson<CostReport>("cost", build)), out: (await marillc("cost", build)).out };
  expect(Object.keys(json.parties)).toEqual(["client", "server", "helper"]);
  for (const shown of [out, JSON.stringify(json), (await marillc("inspect", build)).out]) {
    expect(shown).not.toMatch(/dealer/);
    expect(shown).toMatch(/helper→server/);
  }
});

test("it costs as much as two parties with a dealer", async () => {
  const [three, two] = [build, twoParties].map((each) => marillcJson<CostReport>("cost", each));
  const [helped, dealt] = [(await three!).json.totals, (await two!).json.totals];
  expect(helped.online).toEqual(dealt.online);
  expect(Object.values(helped.offline.bytes)).toEqual(Object.values(dealt.offline.bytes));
});

test("a budget may limit the helper's links", async () => {
  const file = join(dir, "budget.json");
  writeFileSync(file, JSON.stringify({ offline: { bytes: { "helper→server": 1 } } }));
  const { code, json } = await marillcJson<{ exceeded: readonly string[] }>("cost", build, "--budget", file);
  expect(code).toBe(1);
  expect(json.exceeded).toHaveLength(1);
  expect(json.exceeded[0]).toContain("helper→server");
});

test("a private lookup hides the indices from server and helper, and the helper computes", async () => {
  const { model, base, calibration } = files;
  const compiling = [model, "--base", base, "--reveal", "logits:client", "--calibrate", calibration];
  const hidden = join(dir, "hidden");
  const { code, err } = await marillc("compile", ...compiling, "--private", "*", "--setting", "3pc", "-o", hidden);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  const { json: cost } = await marillcJson<CostReport>("cost", hidden);
  expect(cost.operators.map(({ protocol }) => protocol)).toContain("private.lookup");
  const asked = ["run", hidden, "--input", `tokens=${files.input}`];
  const secure = await marillcJson<RunResult>(...asked, "--in-process", "--repeat", "2");
  expect(secure.code).toBe(0);
  expect(secure.json.measured!.bytes).toEqual(secure.json.predicted!.bytes);
  expect(secure.json.measured!.bytes["client→helper"]).toBeGreaterThan(0);
  const plain = await marillcJson<RunResult>(...asked, "--plain");
  expect(largestDifference(plain.json.outputs.logits!.data, secure.json.outputs.logits!.data)).toBeLessThanOrEqual(
    await declaredError(hidden, files.input),
  );
  const stray = join(dir, "stray.json");
  writeFileSync(stray, JSON.stringify({ tokens: { dtype: "int64", shape: [1, 4], data: [0, 1, 8, 2] } }));
  const refused = await marillc("run", hidden, "--input", `tokens=${stray}`, "--in-process");
  expect(refused.code).toBe(1);
  expect(refused.err).toContain("expected indices from 0 to 7, found 1 of");
});

test("three services over TLS give the answer of one process", async () => {
  const { folders } = await initKeys(join(dir, "keys"));
  const anywhere: Endpoint = { host: "127.0.0.1", port: 0 };
  const log = (): void => {};
  const dealer = await startDealer({ listen: anywhere, identity: await readIdentity(folders.dealer), log });
  const identity = await readIdentity(folders.server);
  const server = await startServer({ dir: build, listen: anywhere, dealer, identity, log });
  const part = await loadPartyBuild(build, "client");
  const asked = { part, inputs: await inputs(), identity: await readIdentity(folders.client), server, dealer };
  const { outputs, result } = await queryServer(asked);
  await Promise.all([server.close(), dealer.close()]);
  const local = await openLocal({ dir: build, inProcess: true });
  const expected = (await local.query(await inputs())).outputs.get("logits")!.tensor.data;
  await local.end();
  const declared = await declaredError(build, files.input);
  expect(largestDifference(expected, outputs.get("logits")!.tensor.data)).toBeLessThanOrEqual(2 * declared);
  expect(Object.keys(result.measured!.bytes).sort()).toEqual([
    "client→helper",
    "client→server",
    "helper→client",
    "server→client",
  ]);
});
