import { withManifest } from "../builds.ts";
import { bias, both, inAll, inModule, type Mutant, ofWeights, swap } from "./edits.ts";

/** A private value is used as one that others know. */
export const labels: readonly Mutant[] = [
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
    what: "an input that belongs to the server",
    codes: ["MRL0910"],
    of: (files) => withManifest(files, (manifest) => ({ ...manifest, inputs: [{ name: "x", label: "server" }] })),
  },
];

function relabelled(label: string, sha256?: string) {
  return (manifest: Record<string, unknown>) => ({
    ...manifest,
    weights: (manifest.weights as { name: string }[]).map((weight) =>
      weight.name === "model.k.bias" ? { ...weight, label, ...(sha256 !== undefined && { sha256 }) } : weight,
    ),
  });
}
