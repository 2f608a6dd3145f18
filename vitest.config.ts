import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// Tests run the sources; the import map of package.json serves what is built.
const platform = fileURLToPath(new URL("runtime/platform/node.ts", import.meta.url));

export default defineConfig({
  resolve: { alias: { "#platform": platform } },
  test: { include: ["test/**/*.test.ts"], testTimeout: 300_000, hookTimeout: 300_000, pool: "forks", maxWorkers: 2 },
});
