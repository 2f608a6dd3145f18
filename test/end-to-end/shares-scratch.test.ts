import { rmSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { marillc } from "../cli/run-cli.ts";
import { chainInputs, writeChain } from "./chained-models.ts";

test("scratch", async () => {
  const dir = "/tmp/shares-try/s";
  rmSync(dir, { recursive: true, force: true });
  const m = writeChain(dir);
  const { x, u } = chainInputs(1);
  writeFileSync(`${dir}/x.json`, JSON.stringify({ x: { shape: x.shape, data: x.data } }));
  writeFileSync(`${dir}/u.json`, JSON.stringify({ u: { shape: u.shape, data: u.data } }));
  const say = async (...a: string[]) => {
    const r = await marillc(...a);
    console.log(`$ ${a.join(" ")}\n${r.code}\n${r.out}\n${r.err}`);
    return r;
  };
  await say("compile", m.front, "--private", "*", "--calibrate", m.ofFront, "--reveal", "h:shared", "-o", `${dir}/a`);
  await say("check", `${dir}/a`);
  await say("inspect", `${dir}/a`);
  await say("cost", `${dir}/a`);
  await say("run", `${dir}/a`, "--in-process", "--input", `${dir}/x.json`, "--shares", `${dir}/shares`);
  await say("run", `${dir}/a`, "--plain", "--input", `${dir}/x.json`, "--output", `${dir}/h.npz`);
  await say(
    "compile",
    m.back,
    "--private",
    "*",
    "--calibrate",
    m.ofBack,
    "--input",
    `h:shared=${dir}/a`,
    "--reveal",
    "y:client",
    "-o",
    `${dir}/b`,
  );
  await say("check", `${dir}/b`);
  await say("inspect", `${dir}/b`);
  await say("run", `${dir}/b`, "--in-process", "--input", `${dir}/u.json`, "--input", `${dir}/h.npz`);
  await say("run", `${dir}/b`, "--plain", "--input", `${dir}/u.json`, "--input", `${dir}/h.npz`);
  expect(1).toBe(1);
});
