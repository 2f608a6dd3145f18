// Runs three parties over mutual TLS on the loopback: a dealer, a server with private weights, a client with a private
// prompt.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createKeys, deal, query, serve } from "marillc";
import { dateBuild, nextToken, window } from "./date-model.mjs";

const folder = mkdtempSync(join(tmpdir(), "marillc-example-"));
const stop = new AbortController();
try {
  const build = await dateBuild(folder);
  // Each party gets only its own folder of the build and its own keys.
  const { folders } = await createKeys({ folder: join(folder, "keys") });
  const service = {
    listen: "127.0.0.1:0",
    signal: stop.signal,
    onLog: (line) => console.log(line.replace(/\b[0-9a-f]{8}\b/, "…")),
  };

  const dealer = await deal({ ...service, identity: folders.dealer });
  const server = await serve({ ...service, build: join(build, "server"), dealer, identity: folders.server });
  const { outputs, measured } = await query({
    build: join(build, "client"),
    server,
    dealer,
    identity: folders.client,
    inputs: { input_ids: window },
  });
  console.log("next token", nextToken(outputs.logits));
  console.log("bytes on the client's links", measured.bytes);

  stop.abort();
  await Promise.all([server.closed, dealer.closed]);
} finally {
  stop.abort();
  rmSync(folder, { recursive: true });
}
