/**
 * Tests the package as a new user installs it: `npm pack`, an empty folder, an empty cache, no flags. Runs the command
 * line, the demo and the examples, checks the types with TypeScript 5.6, and bundles the runtime for browsers. Needs the
 * npm registry. `npm run try-package`; `npm run try-package -- 10` tests npm 10.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const major = process.argv[2];
const work = mkdtempSync(join(tmpdir(), "marillc-try-"));
const project = join(work, "project");

/** Without the npm variables of this `npm run`, so that they do not configure the npm under test. */
const environment = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name))),
  npm_config_cache: join(work, "cache"),
};

/** Both streams, because npm warns on stderr. */
function both(title, program, args, cwd = project) {
  const started = performance.now();
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, encoding: "utf8", env: environment });
  if (status !== 0) throw new Error(`${title} ended with ${status}\n${stdout}${stderr}`);
  console.log(`ok    ${title} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  return { stdout, stderr };
}

const sh = (...step) => both(...step).stdout;

function expect(title, condition, found) {
  if (!condition) throw new Error(`${title}: found ${found}`);
  console.log(`ok    ${title}`);
}

try {
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), '{ "name": "stranger", "type": "module", "private": true }\n');
  const [packed] = JSON.parse(sh("npm pack", "npm", ["pack", "--json", "--pack-destination", project], root));
  console.log(`      ${packed.filename}: ${(packed.size / 1e6).toFixed(1)} MB packed, ${packed.entryCount} files`);

  let npm = ["npm"];
  if (major !== undefined) {
    const other = join(work, "npm");
    mkdirSync(other);
    sh(`npm ${major}`, "npm", ["install", "--prefix", other, `npm@${major}`], work);
    npm = [process.execPath, join(other, "node_modules/npm/bin/npm-cli.js")];
  }
  const install = (title, ...names) => both(title, npm[0], [...npm.slice(1), "install", ...names]);
  const said = install(`npm install ./${packed.filename}, empty folder, empty cache`, `./${packed.filename}`);
  expect("npm warns of nothing", !/warn/i.test(said.stdout + said.stderr), said.stderr);

  expect("npx marillc --help", sh("npx marillc --help", "npx", ["marillc", "--help"]).includes("Usage: marillc"), "");
  console.log(sh("npx marillc doctor", "npx", ["marillc", "doctor"]).replace(/^/gm, "      ").trimEnd());
  const demo = sh("npx marillc demo", "npx", ["marillc", "demo"]);
  expect("the demo answers", demo.includes("1987-03-03"), demo);

  for (const name of ["compile-and-run", "cost-before-running", "three-parties", "token-by-token", "own-protocol"]) {
    sh(`examples/${name}.mjs`, process.execPath, [join("node_modules/marillc/examples", `${name}.mjs`)]);
  }

  install("npm install typescript@5.6 @types/node@20 esbuild", "typescript@5.6", "@types/node@20", "esbuild");
  copyFileSync(join(root, "test/package/consumer.ts"), join(project, "consumer.ts"));
  const strict = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--skipLibCheck", "false"];
  for (const [resolution, module] of [
    ["nodenext", "nodenext"],
    ["bundler", "esnext"],
  ]) {
    const how = ["--target", "es2022", "--module", module, "--moduleResolution", resolution, "--types", "node"];
    sh(`types, TypeScript 5.6, ${resolution}, skipLibCheck false`, "npx", ["tsc", ...strict, ...how, "consumer.ts"]);
  }
  const bundle = ["--bundle", "--platform=browser", "--format=esm", "--outfile=bundle.mjs"];
  sh("esbuild, platform browser", "npx", ["esbuild", "node_modules/marillc/examples/own-protocol.mjs", ...bundle]);
  expect(
    "the bundle names nothing of Node",
    !readFileSync(join(project, "bundle.mjs"), "utf8").includes('"node:'),
    "node:",
  );
  const squares = sh("the bundle computes", process.execPath, ["bundle.mjs"]);
  expect("x²", squares.includes("[ 9, 49, 998001 ]"), squares);
} finally {
  rmSync(work, { recursive: true, force: true });
}
