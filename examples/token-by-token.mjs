// Generates text with a private model: prints each token with its cost, and stops after the year.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generate } from "marillc";
import { dateBuild } from "./date-model.mjs";

const folder = mkdtempSync(join(tmpdir(), "marillc-example-"));
const stop = new AbortController();
let text = "";
try {
  await generate({
    build: await dateBuild(folder),
    prompt: "date 3rd of March, 1987=",
    // The signal ends the session between two messages; the call throws the reason of the signal.
    signal: stop.signal,
    onToken: ({ text: piece, cost }) => {
      text += piece;
      console.log(JSON.stringify(piece), `${cost.rounds} rounds, ${cost.bytes["client→server"]} bytes up`);
      if (text.length === 4) stop.abort("the year is complete");
    },
  });
} catch (reason) {
  if (!stop.signal.aborted) throw reason;
  console.log(`${text}: ${reason}`);
} finally {
  rmSync(folder, { recursive: true });
}
