import { parseArgs } from "node:util";
import { forget } from "./deployment.ts";
import { openSetup, type Row, type SoakSize, scenarios, shortSize } from "./scenarios.ts";

/** `npm run soak -- --short` is what the suite runs; without it, some minutes; `--scale 10` for hours. */
const { values } = parseArgs({
  options: { short: { type: "boolean" }, scale: { type: "string" }, only: { type: "string" } },
});
const scale = Number(values.scale ?? 1);
const size: SoakSize = values.short
  ? shortSize
  : {
      sessions: 200,
      probes: 20,
      kills: Math.ceil(30 * scale),
      layers: 40,
      seconds: 60 * scale,
      frames: 20_000 * scale,
      rows: 100_000,
      mostDelayMs: 1_000,
    };

const setup = await openSetup(size);
const rows: Row[] = [];
try {
  for (const { name, run, short = run } of scenarios) {
    if (values.only !== undefined && !values.only.split(",").includes(name)) continue;
    const chosen = values.short ? short : run;
    if (chosen) rows.push(await chosen(setup));
    console.error(rows.at(-1));
  }
} finally {
  await setup.at.stop();
  forget(setup.tiny);
  if (process.env.MARILLC_DEBUG === "1")
    console.error([...setup.at.server.log, "--", ...setup.at.dealer.log].join("\n"));
}
console.log(
  "| scenario | asked | right | wrong | failed | measured | |\n| --- | ---: | ---: | ---: | --- | --- | --- |",
);
for (const { what, asked, right, wrong, failed, measured, passed } of rows)
  console.log(
    `| ${what} | ${asked} | ${right} | ${wrong} | ${failed || "none"} | ${measured} | ${passed ? "ok" : "FAILS"} |`,
  );
process.exitCode = rows.every(({ passed }) => passed) ? 0 : 1;
