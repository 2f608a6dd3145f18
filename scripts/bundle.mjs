/**
 * Bundles what a process or a thread starts with, in its place in `dist`: the command line, a party, a session. Loading
 * one file takes a third of the time that loading some 800 modules takes, and a run starts three threads. The library
 * keeps its modules: its users bundle themselves.
 */
import { readFileSync, rmSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { packagesOf, writeLicences } from "./licences.mjs";

/** Packages of very many files: chevrotain alone loads all 641 of lodash-es. */
const included = ["chevrotain", "lodash-es"];
const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
const allDependencies = { ...manifest.dependencies, ...manifest.peerDependencies };
const root = fileURLToPath(new URL("..", import.meta.url));
const dist = `${root}dist`;

/** ONNX Runtime loads its WebAssembly from its own folder. What imports it here is in `chunks`, beside `vendor`. */
const keepOutside = ({ path }) => ({ path: `../vendor/${basename(path)}`, external: true });

rmSync(`${dist}/chunks`, { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: ["cli/main", "run/party-worker", "services/session-thread"].map((name) => `dist/compiler/${name}.js`),
  outdir: "dist",
  outbase: "dist",
  allowOverwrite: true,
  chunkNames: "chunks/[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20",
  // Names stay, for stacks.
  minifyWhitespace: true,
  minifySyntax: true,
  external: Object.keys(allDependencies).filter((name) => !included.includes(name)),
  metafile: true,
  plugins: [{ name: "vendored", setup: ({ onResolve }) => onResolve({ filter: /\/vendor\// }, keepOutside) }],
  alias: { "#platform": `${dist}/runtime/platform/node.js` },
  logLevel: "warning",
});
writeLicences(
  `${dist}/chunks`,
  packagesOf(metafile),
  "Their code is unchanged, but for white space and parts that nothing calls.",
);
