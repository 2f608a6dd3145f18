// Continues a text with a private model: each token as soon as it is known, with what it cost, until the year is there.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generate } from "marillc";
import { dateBuild } from "./date-model.mjs";

const folder = mkdtempSync(join(tmpdir(), "marillc-example-"));
const enough = new AbortController();
let text = "";
try {
  await generate({
    build: await dateBuild(folder),
    prompt: "date 3rd of March, 1987=",
    // A signal drops the session between two messages; the call throws the signal's reason.
    signal: enough.signal,
    onToken: ({ text: piece, cost }) => {
      text += piece;
      console.log(JSON.stringify(piece), `${cost.rounds} rounds, ${cost.bytes["client→server"]} bytes up`);
      if (text.length === 4) enough.abort("the year is there");
    },
  });
} catch (reason) {
  if (!enough.signal.aborted) throw reason;
  console.log(`${text}: ${reason}`);
} finally {
  rmSync(folder, { recursive: true });
}
