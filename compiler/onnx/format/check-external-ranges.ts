import type { OnnxGraph, OnnxTensor } from "./model-records.ts";
import type { ProblemSink } from "./problem-sink.ts";

/** The number of tensors that may share one range of a file, as tied weights do. */
const maxSharers = 16;

interface ByteRange {
  readonly name: string;
  readonly offset: number;
  readonly end: number;
}

/**
 * Ranges of an external file must not overlap, and few tensors may share one range: ten thousand names for the same
 * gigabyte would be read ten thousand times.
 */
export function checkExternalRanges(graph: OnnxGraph, problems: ProblemSink): void {
  const files = new Map<string, ByteRange[]>();
  for (const { name, source } of tensorsOf(graph)) {
    if (source.kind !== "external" || source.length === 0) continue;
    const ranges = files.get(source.location) ?? [];
    ranges.push({ name, offset: source.offset, end: source.offset + source.length });
    files.set(source.location, ranges);
  }
  for (const [location, ranges] of files) checkFileRanges(location, ranges, problems);
}

function checkFileRanges(location: string, ranges: readonly ByteRange[], problems: ProblemSink): void {
  const inOrder = [...ranges].sort((a, b) => a.offset - b.offset || a.end - b.end);
  let sharers = 1;
  for (const [at, range] of inOrder.entries()) {
    const before = inOrder[at - 1];
    const same = before?.offset === range.offset && before.end === range.end;
    sharers = same ? sharers + 1 : 1;
    const where = `tensor "${range.name}", external data "${location}"`;
    if (sharers === maxSharers + 1) {
      problems.report("MRL0117", where, `more than ${maxSharers} tensors share bytes ${range.offset} to ${range.end}`);
    } else if (before && !same && range.offset < before.end) {
      problems.report(
        "MRL0117",
        where,
        `it overlaps the tensor "${before.name}" in bytes ${range.offset} to ${before.end}`,
      );
    }
  }
}

function tensorsOf({ initializers, nodes }: OnnxGraph): OnnxTensor[] {
  const inner = nodes.flatMap(({ attributes }) =>
    [...attributes.values()].flatMap((attribute) => {
      if (attribute.kind === "tensor") return [attribute.value];
      return attribute.kind === "graph" ? tensorsOf(attribute.value) : [];
    }),
  );
  return [...initializers.values(), ...inner];
}
