// One edited build: `check` refuses it, or three parties run it and the views of the others tell nothing.
import { checkFlow, type FlowReport } from "../../../compiler/audit/index.ts";
import type { CaseReport } from "../attempt.ts";
import { createRandom } from "../random.ts";
import { editBuild } from "./edit-builds.ts";
import { judgeBuild } from "./judge-build.ts";
import { type BuildFiles, seedBuilds } from "./seed-builds.ts";

const alike = (a: BuildFiles, b: BuildFiles): boolean =>
  a.size === b.size && [...a].every(([path, bytes]) => b.has(path) && Buffer.compare(bytes, b.get(path)!) === 0);

const onlyClient = (files: BuildFiles): BuildFiles =>
  new Map([...files].filter(([path]) => path.startsWith("client/")));

/** The case of a seed. "read": `check` accepted the build, and running it told nobody a secret. */
export async function buildReportOf(seed: number): Promise<CaseReport> {
  const random = createRandom(seed);
  const sound = random.pick(seedBuilds());
  const { kind, files: edited } = editBuild(sound, random);
  // Now and then a party sees its own folder alone.
  const files = random.chance(0.2) ? onlyClient(edited) : edited;
  const base = { seed, kind };
  if (files.size === 0 || alike(files, sound) || alike(files, onlyClient(sound)))
    return { ...base, outcome: "skipped" };
  let report: FlowReport;
  try {
    report = checkFlow(files);
  } catch (error) {
    const { message, stack } = error as Error;
    return { ...base, outcome: "crashed", fault: `check threw: ${message}`.slice(0, 200), stack };
  }
  const odd = report.findings.find(({ code, message, at }) => !/^MRL09\d\d$/.test(code) || message === "" || at === "");
  if (odd)
    return { ...base, outcome: "crashed", fault: `a finding without code, text or place: ${JSON.stringify(odd)}` };
  if (report.findings.length > 0) return { ...base, outcome: "refused" };
  const verdict = await judgeBuild(files, report, sound, seed);
  if (typeof verdict === "object") return { ...base, outcome: "crashed", fault: `accepted, but ${verdict.fault}` };
  return { ...base, outcome: verdict === "safe" ? "read" : "refused" };
}
