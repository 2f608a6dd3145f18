/** Licences of the packages that a bundle contains. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

const mit = `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions: The above copyright notice and
this permission notice shall be included in all copies or substantial portions of the Software. THE SOFTWARE IS PROVIDED
"AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT
HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING
FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;

/** Licence notices of packages whose npm tarball has no licence file. */
const notices = {
  "onnxruntime-web": `Copyright (c) Microsoft Corporation\n\n${mit}`,
  "onnxruntime-common": `Copyright (c) Microsoft Corporation\n\n${mit}`,
};

function licenceOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
  const text = file ? readFileSync(join(folder, file), "utf8").trim() : notices[name];
  if (!text) throw new Error(`${name} has no licence text: add it to scripts/licences.mjs`);
  return `## ${name} ${version} (${license})\n\n${text}\n`;
}

/** The folders of the packages that esbuild put into a bundle. */
export function packagesOf(metafile) {
  const files = Object.keys(metafile.inputs).filter((file) => file.includes("node_modules/"));
  return [...new Set(files.map(packageOf))].sort();
}

/** `node_modules/@a/b/c.js` → `node_modules/@a/b`. */
function packageOf(file) {
  const [, folder] = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file.split(sep).join("/"));
  return join(root, folder);
}

/** Writes LICENSES.md into the folder of a bundle. */
export function writeLicences(
  folder,
  packages,
  changes = "The only changes are two lines, listed in scripts/vendor.mjs.",
) {
  const text = `# What this folder contains\n\nBundled from these npm packages. ${changes}\n\n`;
  writeFileSync(join(folder, "LICENSES.md"), text + [...new Set(packages.map(licenceOf))].join("\n"));
}
