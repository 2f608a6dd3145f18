import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import wabt from "wabt";
import { chacha } from "./chacha.ts";
import { dot } from "./dot.ts";
import { product } from "./product.ts";
import { split } from "./split.ts";

// Runs as dist/targets/wasm/build.js and writes into the sources.
const target = new URL("../../../runtime/ring/kernels.generated.ts", import.meta.url);

const source = `(module
(memory (export "memory") 1)
${split(32)}
${split(64)}
${dot(32)}
${dot(64)}
${product(32)}
${product(64)}
${chacha()}
)`;

const { parseWat } = await wabt();
const module = parseWat("kernels.wat", source, { simd: true });
module.validate();
const { buffer } = module.toBinary({});
writeFileSync(
  target,
  `// Written by targets/wasm/build.ts (npm run kernels). Do not edit.
export const kernelBytes = ${buffer.length};
export const kernelSha256 = "${createHash("sha256").update(buffer).digest("hex")}";
export const kernelBase64 =
  "${Buffer.from(buffer).toString("base64")}";
`,
);
console.log(`${buffer.length} bytes of WebAssembly`);
