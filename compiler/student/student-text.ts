import { counted } from "../../ir/counted.ts";
import { textTable } from "../report/text/index.ts";
import type { StudentManifest } from "./student-manifest.ts";

/** Summarizes a rewrite; the manifest has it in full. */
export function studentText(manifest: StudentManifest, path: string): string {
  const { weights, layers, heads, lora } = manifest;
  const trained = weights.filter((weight) => weight.trained);
  const values = (list: typeof weights): number =>
    list.reduce((sum, { shape }) => sum + shape.reduce((size, dim) => size * dim, 1), 0);
  const lines = [
    `${path}: student of ${manifest.source.slice(0, 12)}`,
    `layers: ${layers.frozen} of ${layers.of} frozen`,
    `weights: ${counted(values(trained), "value")} in ${counted(trained.length, "tensor")} to train, of ${values(weights).toLocaleString("en-US")} in ${weights.length}`,
    ...(lora
      ? [
          `low-rank changes: rank ${lora.rank}, alpha ${lora.alpha}, ${counted(lora.modules.length, "module")}${lora.frozenA ? ", A frozen" : ""}`,
        ]
      : []),
    manifest.sameFunction
      ? "the student computes what its source does, until it is tuned"
      : "the student computes a different function from its source: tune it before use",
  ];
  if (!heads) return `${lines.join("\n")}\n`;
  const columns = [
    { title: "attention" },
    { title: "heads now: heads of the source" },
    { title: "scale", right: true },
  ] as const;
  const rows = heads.attention.map(({ node, heads: own, scale }) => [
    node,
    own.map((group) => group.join("+")).join(" "),
    scale.is.toPrecision(4),
  ]);
  return `${lines.join("\n")}\n\n${textTable(columns, rows)}\n`;
}
