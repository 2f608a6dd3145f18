import * as all from "./index.ts";
import type { Protocol } from "./kit/index.ts";

/** Every protocol by its name, in the order of index.ts. */
export const protocols: ReadonlyMap<string, Protocol> = new Map(
  Object.values(all).map((protocol) => [protocol.name, protocol]),
);

/** Name of the export that holds a protocol: what a generated program calls. */
export const exportNames: ReadonlyMap<string, string> = new Map(
  Object.entries(all).map(([exported, protocol]) => [protocol.name, exported]),
);
