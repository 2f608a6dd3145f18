// Compiles a model with a private adapter, checks the build, and runs it with all three parties on this machine.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkBuild, compile, run } from "marillc";
import { dateModel, nextToken, window } from "./date-model.mjs";

const folder = mkdtempSync(join(tmpdir(), "marillc-example-"));
const build = process.argv[2] ?? join(folder, "build");
try {
  const { files, predicted, security } = await compile({ ...dateModel, output: build });
  console.log(`${Object.keys(files).length} files; ${security}`);

  // The flow checker reads the written programs, and trusts no other part of the compiler.
  const { passed, opened } = checkBuild({ build });
  console.log(passed ? "passed" : "FAILED", opened.map(({ tensor, to }) => `${tensor} to the ${to}`).join(", "));

  const { outputs, measured } = await run({ build, inputs: { input_ids: window } });
  console.log("next token", nextToken(outputs.logits));
  console.log(measured.rounds - 1, "rounds online, predicted", predicted.online.rounds);
} finally {
  rmSync(folder, { recursive: true });
}
