import { describe } from "vitest";
import { comparesExactly, costs } from "../../../harness/comparison-tests.ts";

/** Nodes and levels of a tree over pairs of bits. */
const shapeOf = (bits: number) => {
  const leaves = Math.ceil(bits / 2);
  return { nodes: leaves - 1, levels: Math.ceil(Math.log2(leaves)) };
};

describe("the carry tree", () => {
  comparesExactly({ method: "tree" }, [1, 2, 3, 4, 5], [24, 31, 32, 33, 47, 60, 63]);

  // One AND of "equal" and "below" at every node, one of two "equal" at those that are not on the way of the lowest leaf.
  costs(
    { method: "tree" },
    (bits) => {
      const { nodes, levels } = shapeOf(bits);
      const opened = 3 * nodes - levels;
      return {
        rounds: levels,
        clientToServer: opened,
        serverToClient: opened,
        dealerToServer: bits + Math.floor(bits / 2) + 2 * nodes - levels,
      };
    },
    // Dealer and online bits at 15, 24 and 32 bits; protocols.md 1.3, a tree over single bits: 45/90, 72/144, 96/192.
    { 15: [33, 36], 24: [54, 58], 32: [74, 82] },
  );
});
