import type { KnownWeight, Share } from "../../core/index.ts";
import {
  add,
  expandUnitVectors,
  fromIntegers,
  gather,
  generateUnitCorrections,
  type IntTensor,
  matmul,
  metaTensor,
  type RingTensor,
  reshape,
  sizeOf,
  sub,
  treeDepth,
} from "../../ring/index.ts";
import { defineProtocol } from "../kit/index.ts";

/**
 * Rows of a private table of the server at positions that only the client knows (DPF-PIR with two servers, protocols.md
 * 1.10; ours: docs/protocols/private-lookup.md). W = pad + hidden from the setup of known weights; server and dealer
 * both have `hidden`, the client has the pad.
 *   client → server, dealer: corrections of a point function at the position, whose roots come from their seeds;
 *   server: S = u₀·hidden, dealer: D = u₁·hidden for their shares u of the unit vector;
 *   dealer → server: D + r, for an r that client and dealer know.
 *   (S + D + r) + (pad[position] − r) = W[position].
 * 2 rounds; 2·(130·⌈log₂ V⌉ + ℓ) + d·ℓ bits per position for a table of V rows of d.
 */
export const privateLookup = defineProtocol({
  name: "private.lookup",
  implements: "gather",
  settings: ["3pc"],
  security: "semi-honest",
  paper: "ours: docs/protocols/private-lookup.md; Boyle, Gilboa, Ishai, CCS 2016",
  accuracy: "exact",
  forms: ["weight", "public"],
  yields: "share",
  operandWidths: ({ result }) => [result.width, result.width],
  refuses: ({ operands: [table], attrs }) =>
    table!.shape.length !== 2 || (attrs.axis !== 0 && attrs.axis !== -2)
      ? "it supports rows of a matrix along its first axis only"
      : undefined,
  *run(party, { result, operands: [table] }, weight, indices) {
    const { pad, hidden, values } = weight as KnownWeight;
    const [rows, columns] = table!.shape as [number, number];
    const { shape, width } = result;
    const chosen = indices as IntTensor;
    const count = sizeOf(chosen.shape);
    // Negative indices count from the end, as in ONNX.
    const wrapped: IntTensor = { ...chosen, shape: [count], data: chosen.data?.map((at) => (at < 0 ? at + rows : at)) };
    const first = party.sharedRandom([count, 2], 64);
    const second = party.sharedRandomWithDealer("client", [count, 2], 64);
    const r = party.sharedRandomWithDealer("client", [count, columns], width);
    const grown = generateUnitCorrections(first, second, wrapped, treeDepth(rows), width);
    const correction = [grown.blocks, grown.controls, grown.last];
    // Given one root, corrections are pseudorandom whatever the position (Boyle, Gilboa, Ishai 2016, theorem 3.3).
    const sent = yield (["server", "dealer"] as const).flatMap((to) =>
      correction.map((tensor) => ({ from: "client" as const, to, tensor })),
    );
    const [blocks, controls, last] = sent.slice(party.role === "dealer" ? 3 : 0) as [
      RingTensor,
      RingTensor,
      RingTensor,
    ];
    const known = party.role === "server" ? sub(fromIntegers(values, width), pad) : hidden;
    const unknown = metaTensor([count, columns], width);
    const picked = (seeds: RingTensor, holder: 0 | 1): RingTensor =>
      matmul(expandUnitVectors(seeds, holder, { blocks, controls, last }, rows), known);
    // r is uniform and the server does not know it: safe to send.
    const masked = party.role === "dealer" ? add(picked(second, 1), r) : unknown;
    const [theirs] = yield [{ from: "dealer", to: "server", tensor: masked }];
    if (party.role === "server") return share(reshape(add(picked(first, 0), theirs!), shape));
    if (party.role === "dealer" || !wrapped.data) return share(metaTensor(shape, width));
    const own = gather(pad, Int32Array.from(wrapped.data), [count], 0);
    return share(reshape(sub(own, r), shape));
  },
});

const share = (tensor: RingTensor): Share => ({ kind: "share", tensor });
