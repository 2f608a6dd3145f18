/**
 * Bundles what a process or a thread starts with, in its place in `dist`: the command line, a party, a session. Loading
 * one file takes a third of the time that loading some 800 modules takes, and a run starts three threads. The library
 * keeps its modules: its users bundle themselves.
 */
import { rmSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const dist = fileURLToPath(new URL("../dist", import.meta.url));

/** ONNX Runtime loads its WebAssembly from its own folder. What imports it here is in `chunks`, beside `vendor`. */
const keepOutside = ({ path }) => ({ path: `../vendor/${basename(path)}`, external: true });

rmSync(`${dist}/chunks`, { recursive: true, force: true });
await build({
  absWorkingDir: dist,
  entryPoints: ["compiler/cli/main.js", "compiler/run/party-worker.js", "compiler/services/session-thread.js"],
  outdir: ".",
  outbase: ".",
  allowOverwrite: true,
  chunkNames: "chunks/[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20",
  packages: "external",
  plugins: [{ name: "vendored", setup: ({ onResolve }) => onResolve({ filter: /\/vendor\// }, keepOutside) }],
  alias: { "#platform": `${dist}/runtime/platform/node.js` },
  logLevel: "warning",
});
