import * as all from "./index.ts";
import type { Protocol } from "./kit/index.ts";

/** Every protocol by its name, in the order of index.ts. */
export const protocols: ReadonlyMap<string, Protocol> = new Map(
  Object.values(all).map((protocol) => [protocol.name, protocol]),
);

/** The export name of each protocol, which generated programs call. */
export const exportNames: ReadonlyMap<string, string> = new Map(
  Object.entries(all).map(([exported, protocol]) => [protocol.name, exported]),
);
