/**
 * Bundles packages into `dist` instead of depending on them: those with install scripts, and those that depend on one.
 * Installing the tarball then runs no scripts, and downloads only registry packages. The sources import these packages by
 * name; this script rewrites the names in dist.
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { packagesOf, writeLicences } from "./licences.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");
const vendor = join(dist, "vendor");

/** Specifier in the sources → file in dist/vendor. */
const vendored = { "onnx-proto": "onnx-proto.js", "onnxruntime-web/wasm": "onnxruntime-web.js" };

/** The folder of a package, resolved from a file that depends on it. */
function folderOf(name, from = join(root, "package.json")) {
  const look = (folder) => {
    const found = join(folder, "node_modules", name);
    return existsSync(join(found, "package.json")) ? found : look(dirname(folder));
  };
  return look(dirname(from));
}

/** protobufjs loads these two by `eval`, which bundlers cannot follow. Without `long`, int64 would lose digits. */
const inquire = {
  name: "inquire",
  setup({ onLoad }) {
    const resolveDir = folderOf("protobufjs", folderOf("onnx-proto"));
    const contents =
      'module.exports = (name) => name === "long" ? require("long") : name === "buffer" ? require("node:buffer") : null;';
    onLoad({ filter: /@protobufjs[/\\]inquire[/\\]index\.js$/ }, () => ({ contents, resolveDir, loader: "js" }));
  },
};

/** Node warns of `new Buffer(0)` in code outside node_modules. */
const emptyBytes = {
  name: "empty-bytes",
  setup({ onLoad }) {
    onLoad({ filter: /protobufjs[/\\]src[/\\]reader\.js$/ }, ({ path }) => {
      const [text, old] = [readFileSync(path, "utf8"), "new this.buf.constructor(0)"];
      if (!text.includes(old)) throw new Error(`${path} no longer has ${old}: look whether emptyBytes is needed`);
      return { contents: text.replace(old, "this.buf.subarray(0, 0)"), loader: "js" };
    });
  },
};

async function bundleProto() {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ["onnx-proto"],
    outfile: join(vendor, vendored["onnx-proto"]),
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    plugins: [inquire, emptyBytes],
    metafile: true,
    banner: { js: 'import { createRequire } from "node:module";\nconst require = createRequire(import.meta.url);' },
  });
  return packagesOf(metafile);
}

/** The bundle loads its WebAssembly module from its own folder. */
function copyRuntime() {
  const from = join(folderOf("onnxruntime-web"), "dist");
  copyFileSync(join(from, "ort.wasm.bundle.min.mjs"), join(vendor, vendored["onnxruntime-web/wasm"]));
  // In worker threads it loads the .mjs file too.
  for (const name of ["ort-wasm-simd-threaded.wasm", "ort-wasm-simd-threaded.mjs"]) {
    copyFileSync(join(from, name), join(vendor, name));
  }
  return [folderOf("onnxruntime-web"), folderOf("onnxruntime-common")];
}

/** Rewrites `from "onnx-proto"` and `import("onnx-proto")` in the output of tsc. */
function rewriteNames() {
  const names = Object.keys(vendored).map((name) => name.replace(/[/]/g, "\\/"));
  const specifier = new RegExp(`(from |import\\()"(${names.join("|")})"`, "g");
  for (const name of readdirSync(dist, { recursive: true })) {
    const file = join(dist, name);
    if (!file.endsWith(".js") || file.startsWith(vendor)) continue;
    const text = readFileSync(file, "utf8");
    const rewritten = text.replace(specifier, (_, before, found) => {
      const path = relative(dirname(file), join(vendor, vendored[found])).split(sep).join("/");
      return `${before}"${path.startsWith(".") ? path : `./${path}`}"`;
    });
    if (rewritten !== text) writeFileSync(file, rewritten);
  }
}

// Removes files of earlier layouts, which npm would pack.
rmSync(vendor, { recursive: true, force: true });
mkdirSync(vendor, { recursive: true });
const packages = [...(await bundleProto()), ...copyRuntime()];
writeLicences(vendor, packages);
rewriteNames();

// tsc writes files without the execute bit, and npx sets it only when it first links a checkout.
chmodSync(join(dist, "compiler/cli/main.js"), 0o755);
