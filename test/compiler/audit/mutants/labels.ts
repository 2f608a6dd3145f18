import { withManifest } from "../builds.ts";
import { bias, both, inAll, inModule, type Mutant, ofWeights, swap, swapAll } from "./edits.ts";

const escaped = (text: string): string => `"${text}\\ud800"`;

/** Names that are not made of the alphabet of program.mir: two of them may be one stream of randomness. */
const foreignNames: readonly Mutant[] = [
  {
    what: "a label that is no Unicode",
    codes: ["MRL0901"],
    of: inAll(swap('party.at("q.b.t.open")', `party.at(${escaped("q")})`)),
  },
  {
    what: "a weight whose name is no Unicode",
    codes: ["MRL0901"],
    of: inAll(swapAll('"k.weight"', escaped("k.weight."))),
  },
  {
    what: "a weight under its name and more",
    codes: ["MRL0909"],
    of: inAll(swapAll('"k.weight"', '"k.weight.more"')),
  },
  {
    what: "a tensor whose name is no Unicode, in program.mir",
    codes: ["MRL0901"],
    of: inModule(swap('"model.k.weight"', escaped("model.k.weight"))),
  },
  { what: "a comment in program.mir", codes: ["MRL0901"], of: inModule(swap("module", "// 0.123\nmodule")) },
  {
    what: "a character of another alphabet in program.mir",
    codes: ["MRL0901"],
    of: inModule(swap("/k/Add", "/k/\u0410dd")),
  },
];

/** A private value is used as one that others know. */
export const labels: readonly Mutant[] = [
  ...foreignNames,
  {
    what: "a public label on a private weight",
    codes: ["MRL0909", "MRL0910"],
    of: inAll(ofWeights(swap(bias, '"k.bias": { form: "public"'))),
  },
  {
    what: "a public label on a private weight, in program.mir too",
    codes: ["MRL0910"],
    of: both(
      inAll(ofWeights(swap(bias, '"k.bias": { form: "public"'))),
      inModule(swap("param %k.bias : server", "param %k.bias : public")),
    ),
  },
  {
    what: "a private weight told to the dealer",
    codes: ["MRL0909", "MRL0910"],
    of: inAll(ofWeights(swap(bias, '"k.bias": { form: "disclosed"'))),
  },
  {
    what: "a private weight under the name of a public one",
    codes: ["MRL0909", "MRL0912"],
    of: inAll(
      ofWeights((text) =>
        swap('"model.k.bias@24"', '"model.o.weight@24"')(swap(bias, '"k.bias": { form: "public"')(text)),
      ),
    ),
  },
  {
    what: "a private weight that the manifest calls public",
    codes: ["MRL0910"],
    of: (files) => withManifest(files, relabelled("public")),
  },
  {
    what: "a private weight that the manifest calls public, with a digest",
    codes: ["MRL0910"],
    of: (files) => withManifest(files, relabelled("public", "00".repeat(32))),
  },
  {
    what: "a known weight that the manifest calls public, with a digest",
    codes: ["MRL0910"],
    of: (files) => withManifest(files, relabelled("public", "00".repeat(32), "model.q.lora_A")),
  },
  {
    what: "a private weight with a digest: who guesses it, knows that he is right",
    codes: ["MRL0910"],
    of: (files) => withManifest(files, relabelled("server", "00".repeat(32))),
  },
  {
    what: "a public weight without a digest",
    codes: ["MRL0910"],
    of: (files) =>
      withManifest(files, (manifest) => ({
        ...manifest,
        weights: (manifest.weights as { name: string; sha256?: string }[]).map(({ sha256: _, ...weight }) => weight),
      })),
  },
  {
    what: "a weight of an owner that does not exist",
    codes: ["MRL0910"],
    of: (files) =>
      withManifest(files, (manifest) => ({
        ...manifest,
        weights: [...(manifest.weights as object[]), { name: "more", label: "nobody", why: "", shape: [] }],
      })),
  },
  {
    what: "an input that belongs to the server",
    codes: ["MRL0910"],
    of: (files) => withManifest(files, (manifest) => ({ ...manifest, inputs: [{ name: "x", label: "server" }] })),
  },
];

/** The manifest with another owner of a weight. */
export function relabelled(label: string, sha256?: string, of = "model.k.bias") {
  return (manifest: Record<string, unknown>) => ({
    ...manifest,
    weights: (manifest.weights as { name: string }[]).map((weight) =>
      weight.name === of ? { ...weight, label, ...(sha256 !== undefined && { sha256 }) } : weight,
    ),
  });
}
