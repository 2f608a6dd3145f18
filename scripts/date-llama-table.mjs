// Compiles the fixture three times and runs one prompt through each: npm run table [-- --link wan]
// The link is what protocols are chosen for and what shapes the run; without one, they are chosen for wan and no link
// is shaped. Needs `npm run build` before. Prints one table: rounds, bytes and seconds of a query.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = new URL("..", import.meta.url).pathname;
const fixture = join(root, "fixtures/date-llama");
const cli = join(root, "dist/compiler/cli/main.js");
const link = process.argv.includes("--link") ? ["--link", process.argv[process.argv.indexOf("--link") + 1]] : [];
const marillc = (...args) =>
  execFileSync(process.execPath, [cli, ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });

const file = (name) => join(fixture, name);
const rows = [
  ["everything private", [file("merged-ts17.onnx"), "--base", file("base-ts17.onnx"), "--private", "*"]],
  ["frozen half", [file("merged-ts17.onnx"), "--base", file("base-ts17.onnx")]],
  ["frozen half + LoRA", [file("base-ts17.onnx"), "--adapter", file("adapter")]],
];

const work = mkdtempSync(join(tmpdir(), "marillc-table-"));
const table = [
  [
    "",
    "rounds",
    "client→server",
    "server→client",
    "dealer→server",
    "dealer→client",
    "setup server→dealer",
    "offline s",
    "online s",
    "links alone, wan",
  ],
];
const kilobytes = (bytes) => `${(bytes / 1000).toFixed(0)} kB`;
try {
  const window = join(work, "input.json");
  const prompt = JSON.parse(readFileSync(file("heldout.jsonl"), "utf8").split("\n")[0]).prompt;
  const vocabulary = JSON.parse(readFileSync(file("tokenizer.json"), "utf8")).model.vocab;
  const ids = [vocabulary["<bos>"], ...[...prompt].map((character) => vocabulary[character])];
  writeFileSync(
    window,
    JSON.stringify({ input_ids: [Array.from({ length: 48 }, (_, place) => ids[place] ?? vocabulary["<pad>"])] }),
  );
  for (const [name, model] of rows) {
    const build = join(work, name.replaceAll(" ", "-"));
    const calibrate = ["--calibrate", file("calibration.jsonl")];
    marillc("compile", ...model, "--reveal", "logits:client", ...calibrate, ...link, "-o", build);
    // `run` itself fails where a measured byte or round differs from the predicted one.
    const { measured } = JSON.parse(marillc("run", build, "--input", `input_ids=${window}`, ...link, "--json"));
    const { rounds, bytes, seconds } = measured;
    const [{ communicationSeconds }] = JSON.parse(marillc("cost", build, "--link", "wan", "--json")).links;
    table.push([
      name,
      String(rounds),
      ...["client→server", "server→client", "dealer→server", "dealer→client", "server→dealer"].map((direction) =>
        kilobytes(bytes[direction] ?? 0),
      ),
      seconds.offline.toFixed(2),
      seconds.online.toFixed(2),
      `${communicationSeconds.online.toFixed(1)} s`,
    ]);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)));
for (const row of table)
  console.log(
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join("  "),
  );
