import type { BuildFiles } from "../../../../compiler/audit/party-files.ts";
import { withManifest } from "../builds.ts";
import { both, client, inAll, inModule, type Mutant, only, renamed, swap } from "./edits.ts";

const withBounds =
  (range: readonly number[] | undefined): Mutant["of"] =>
  (files) =>
    withManifest(files, (manifest) => ({
      ...manifest,
      cuts: (manifest.cuts as object[]).map((cut) => ({ ...cut, range })),
    }));

/** Roles are swapped, and copies or promises differ. */
type Entries = readonly Readonly<Record<string, unknown>>[];
const digest = "0".repeat(64);
const constant = { name: "positions", sha256: digest };

/** One more entry in a list of the manifest, behind those given. */
function twice(list: string, entry: (entries: Entries) => object, ...given: readonly object[]) {
  return (files: BuildFiles): BuildFiles =>
    withManifest(files, (manifest) => {
      const entries = manifest[list] as Entries;
      return { ...manifest, [list]: [...entries, ...given, entry(entries)] };
    });
}

export const promises: readonly Mutant[] = [
  {
    what: "client and server exchanged",
    codes: ["MRL0911"],
    of: renamed(["client/program.ts", "server/program.ts"], ["server/program.ts", "client/program.ts"]),
  },
  {
    what: "the dealer's program at the server",
    codes: ["MRL0911"],
    of: renamed(["dealer/program.js", "server/program.js"]),
  },
  {
    what: "a header that names another role",
    codes: ["MRL0911"],
    of: client(swap("// client program of", "// server program of")),
  },
  { what: "another setting", codes: ["MRL0910"], of: inAll(swap('setting: "2pc-dealer"', 'setting: "3pc"')) },
  {
    what: "a setting in which nobody deals",
    codes: ["MRL0904", "MRL0910"],
    of: inAll(swap('setting: "2pc-dealer"', 'setting: "2pc"')),
  },
  {
    what: "the digest of another module",
    codes: ["MRL0910"],
    of: inAll((text) => text.replace(/hash: "\w+"/, `hash: "${"0".repeat(64)}"`)),
  },
  {
    what: "another program.mir at the dealer",
    codes: ["MRL0914"],
    of: only("dealer/program.mir")(swap("by = 12", "by = 11")),
  },
  { what: "another program.mir everywhere", codes: ["MRL0909"], of: inModule(swap("by = 12", "by = 11")) },
  { what: "a program.mir that cannot be read", codes: ["MRL0901"], of: inModule(swap("step {", "step")) },
  {
    what: "another manifest at the client",
    codes: ["MRL0914"],
    of: only("client/manifest.json")(swap("semi-honest", "malicious")),
  },
  {
    what: "a stronger promise of security",
    codes: ["MRL0910"],
    of: (files) => withManifest(files, (manifest) => ({ ...manifest, security: "malicious, with abort" })),
  },
  {
    what: "a rounding by shares as our own numerics",
    codes: ["MRL0917"],
    of: (files) => withManifest(files, (manifest) => ({ ...manifest, numerics: "marill" })),
  },
  {
    what: "a rounding by shares under no numerics",
    codes: ["MRL0917"],
    of: (files) => withManifest(files, ({ numerics: _, ...manifest }) => manifest),
  },
  {
    what: "a rounding of our own as that of a system that rounds otherwise",
    codes: ["MRL0917"],
    of: both(
      inAll(swap('sameRingTruncate.run(party.at("logits.shared.t")', 'localTruncate.run(party.at("logits.shared.t")')),
      inModule(swap("via same-ring.truncate", "via local.truncate")),
    ),
  },
  {
    what: "a rounding by shares as that of a system that rounds faithfully",
    codes: ["MRL0917"],
    of: (files) => withManifest(files, (manifest) => ({ ...manifest, numerics: "sigma" })),
  },
  {
    what: "the numerics of a system that nobody knows",
    codes: ["MRL0917"],
    of: (files) => withManifest(files, (manifest) => ({ ...manifest, numerics: "faithful" })),
  },
  {
    what: "wider bounds of an input in the manifest",
    codes: ["MRL0910"],
    of: withBounds([-4, 4]),
  },
  { what: "a higher bound of an input in the manifest", codes: ["MRL0910"], of: withBounds([-2, 4]) },
  { what: "a lower bound of an input in the manifest", codes: ["MRL0910"], of: withBounds([-4, 2]) },
  {
    what: "an input without bounds",
    codes: ["MRL0910"],
    of: withBounds(undefined),
  },
  {
    what: "wider bounds of an input, in the programs too",
    codes: ["MRL0909"],
    of: (files) =>
      inAll(
        swap(
          "x: { shape: [3, 4], width: 39, scale: 12, lo: -2, hi: 2 }",
          "x: { shape: [3, 4], width: 39, scale: 12, lo: -4, hi: 4 }",
        ),
      )(withBounds([-4, 4])(files)),
  },
  {
    what: "a manifest without its promises",
    codes: ["MRL0901"],
    of: (files) => withManifest(files, ({ reveals: _, ...rest }) => rest),
  },
  {
    what: "a promise less",
    codes: ["MRL0910"],
    of: (files) => withManifest(files, (manifest) => ({ ...manifest, reveals: [] })),
  },
  {
    what: "a promise more",
    codes: ["MRL0910"],
    of: (files) =>
      withManifest(files, (manifest) => ({
        ...manifest,
        reveals: [...(manifest.reveals as object[]), { value: "k", tensor: "k", to: "client", shape: [3, 4] }],
      })),
  },
  {
    what: "a promise twice",
    codes: ["MRL0910"],
    of: (files) =>
      withManifest(files, ({ reveals, ...manifest }) => ({
        ...manifest,
        reveals: [...(reveals as object[]), ...(reveals as object[])],
      })),
  },
  {
    what: "a promise to the server",
    codes: ["MRL0910"],
    of: (files) =>
      withManifest(files, (manifest) => ({
        ...manifest,
        reveals: [{ value: "logits", tensor: "logits", to: "server", shape: [9] }],
      })),
  },
  {
    what: "a cut less",
    codes: ["MRL0910"],
    of: (files) => withManifest(files, (manifest) => ({ ...manifest, cuts: [] })),
  },
  {
    what: "a cut of another shape",
    codes: ["MRL0910"],
    of: (files) =>
      withManifest(files, (manifest) => ({ ...manifest, cuts: [{ value: "x", tensor: "x", shape: [4, 4] }] })),
  },
  {
    what: "a private weight that is listed as public as well",
    codes: ["MRL0910"],
    of: twice("weights", ([first]) => ({ ...first, label: "public", sha256: digest })),
  },
  { what: "an input of two owners", codes: ["MRL0910"], of: twice("inputs", ([x]) => ({ ...x, label: "server" })) },
  { what: "a constant twice", codes: ["MRL0910"], of: twice("constants", () => constant, constant) },
  {
    what: "integers of no public tensor",
    codes: ["MRL0910"],
    of: twice("integers", () => ({ tensor: "model.q.lora_A@12", sha256: digest })),
  },
  {
    what: "an error of no output",
    codes: ["MRL0910"],
    of: (files) =>
      withManifest(files, (manifest) => ({ ...manifest, errors: [{ tensor: "k", declared: 0.25, largest: 1 }] })),
  },
  {
    what: "another count of rings",
    codes: ["MRL0910"],
    of: (files) => withManifest(files, (manifest) => ({ ...manifest, rings: [{ width: 30, values: 1 }] })),
  },
  {
    what: "a text in the place of a digest",
    codes: ["MRL0901"],
    of: twice("constants", () => ({ ...constant, sha256: "0.25 0.125 -3" })),
  },
  {
    what: "a text in the place of a type",
    codes: ["MRL0901"],
    of: twice("inputs", () => ({ name: "y", label: "client", type: "0.25 0.125 -3" })),
  },
  {
    what: "numbers in the place of a shape",
    codes: ["MRL0901"],
    of: twice("inputs", () => ({ name: "y", label: "client", shape: Array.from({ length: 17 }, (_, k) => k) })),
  },
];
