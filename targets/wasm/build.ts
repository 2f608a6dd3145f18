import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import wabt from "wabt";
import { chacha } from "./chacha.ts";
import { dot } from "./dot.ts";
import { panel } from "./panel.ts";
import { product } from "./product.ts";
import { split } from "./split.ts";

const ownMemory = '(memory (export "memory") 1)';
const memoryOf = (module: string): string => `(import "${module}" "memory" (memory 1))`;

// Runs as dist/targets/wasm/build.js and writes into the sources: for each file, its modules. Those of the runtime are
// small enough for the main thread of any browser: 4 kB each.
const files = {
  "runtime/ring/kernels.generated.ts": {
    kernel: [ownMemory, split(32), split(64), dot(32), dot(64), panel()],
    residues: [memoryOf("kernel"), product("32"), product("64")],
    chacha: [ownMemory, chacha()],
  },
  "ir/ops/helpers/products.generated.ts": { products: [ownMemory, product("Real")] },
};

const { parseWat } = await wabt();
const textOf = ([name, functions]: readonly [string, readonly string[]]): string => {
  const source = `(module ${functions.join("\n")})`;
  const module = parseWat(`${name}.wat`, source, { simd: true });
  module.validate();
  const { buffer } = module.toBinary({});
  console.log(`${name}: ${buffer.length} bytes of WebAssembly`);
  return `export const ${name}Bytes = ${buffer.length};
export const ${name}Sha256 = "${createHash("sha256").update(buffer).digest("hex")}";
export const ${name}Base64 =
  "${Buffer.from(buffer).toString("base64")}";
`;
};
for (const [file, modules] of Object.entries(files)) {
  const texts = Object.entries(modules).map(textOf).join("");
  const target = new URL(`../../../${file}`, import.meta.url);
  writeFileSync(target, `// Written by targets/wasm/build.ts (npm run kernels). Do not edit.\n${texts}`);
}
