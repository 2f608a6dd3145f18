import { describe } from "vitest";
import { comparesExactly, costs } from "../../../harness/comparison-tests.ts";

describe("the distributed point function", () => {
  comparesExactly({ method: "dpf" }, [1, 2, 3, 5], [6, 7, 8, 9, 24, 33, 60, 63]);

  // SIGMA's theorem, (n − 7)(λ + 2) + 2λ bits to each party with λ = 128, less the λ of the root, which seeds give.
  costs(
    { method: "dpf" },
    (bits) => {
      const online = { rounds: 0, clientToServer: 0, serverToClient: 0 };
      if (bits < 7) return { ...online, dealerToServer: 2 ** bits - 1 };
      const each = (bits - 7) * 130 + 128;
      return { ...online, dealerToServer: each, dealerToClient: each };
    },
    // To both parties in all, and online; protocols.md 1.3: 2·1288, 2·2449 and 2·3481.
    { 15: [2336, 0], 24: [4676, 0], 32: [6756, 0] },
  );
});
