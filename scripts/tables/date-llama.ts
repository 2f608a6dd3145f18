import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ModelOptions, resolveModelOptions } from "../../compiler/api/index.ts";
import { writeBuild } from "../../compiler/build/index.ts";
import { compileModel } from "../../compiler/compile/index.ts";
import { padTokens, readTokenizer } from "../../compiler/inputs/index.ts";
import { networkTime } from "../../compiler/report/cost/index.ts";
import { textTable } from "../../compiler/report/text/index.ts";
import { openLocal } from "../../compiler/run/index.ts";
import type { TypedTensor } from "../../compiler/tensors/index.ts";
import type { Direction } from "../../runtime/core/index.ts";
import { type LinkProfile, linkProfiles } from "../../runtime/transport/index.ts";

/** Positions of the fixture's models. */
const sequenceLength = 48;

type Variant = Pick<ModelOptions, "model" | "base" | "private"> & { readonly adapter?: string };

/** What is private: all of the tuned model, its second half, or an adapter of that half. */
const variants: Readonly<Record<string, Variant>> = {
  "everything private": { model: "merged-ts17.onnx", base: "base-ts17.onnx", private: ["*"] },
  "frozen half": { model: "merged-ts17.onnx", base: "base-ts17.onnx" },
  "frozen half + LoRA": { model: "base-ts17.onnx", adapter: "adapter" },
};

const directions: readonly Direction[] = [
  "client→server",
  "server→client",
  "dealer→server",
  "dealer→client",
  "server→dealer",
];
const columns = [
  "rounds",
  ...directions.map((direction) => (direction === "server→dealer" ? `setup ${direction}` : direction)),
  "offline s",
  "online s",
  "links alone, wan",
];

const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(0)} kB`;

/** Bytes and rounds of a session of one query by variant. @throws when they differ from the predicted ones */
export async function dateLlamaTable(fixture: string, link: LinkProfile | undefined): Promise<string> {
  const query = firstPrompt(fixture);
  const folder = mkdtempSync(join(tmpdir(), "marillc-table-"));
  try {
    const rows: string[][] = [];
    for (const [name, variant] of Object.entries(variants)) {
      const build = join(folder, `${rows.length}`);
      rows.push([name, ...(await measureVariant(fixture, variant, build, query, link))]);
    }
    return textTable([{ title: "" }, ...columns.map((title) => ({ title, right: true as const }))], rows);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function firstPrompt(fixture: string): ReadonlyMap<string, TypedTensor> {
  const [line] = readFileSync(join(fixture, "heldout.jsonl"), "utf8").split("\n");
  const { prompt } = JSON.parse(line!) as { readonly prompt: string };
  const data = padTokens(readTokenizer(fixture), prompt, sequenceLength)!;
  return new Map([["input_ids", { dtype: "int64", tensor: { shape: [1, sequenceLength], data } }]]);
}

async function measureVariant(
  fixture: string,
  variant: Variant,
  build: string,
  query: ReadonlyMap<string, TypedTensor>,
  link: LinkProfile | undefined,
): Promise<readonly string[]> {
  const file = (name: string): string => join(fixture, name);
  const { manifest, files } = compileModel(
    resolveModelOptions({
      ...variant,
      model: file(variant.model),
      ...(variant.base !== undefined && { base: file(variant.base) }),
      ...(variant.adapter !== undefined && { adapter: file(variant.adapter) }),
      reveal: { logits: "client" },
      calibrate: file("calibration.jsonl"),
      quality: "fast",
      ...(link && { link }),
    }),
  );
  writeBuild(build, files);
  const session = await openLocal({ dir: build, ...(link && { link }) });
  await session.query(query);
  const { measured, seconds } = await session.end();
  const { communicationSeconds } = networkTime(manifest.predicted, linkProfiles.wan);
  return [
    `${measured.rounds}`,
    ...directions.map((direction) => kilobytes(measured.bytes[direction])),
    seconds.offline.toFixed(2),
    seconds.online.toFixed(2),
    `${communicationSeconds.online.toFixed(1)} s`,
  ];
}
