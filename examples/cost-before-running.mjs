// Counts the cost of a model before anything runs: a known architecture without weights, and a model file.
import { cost } from "marillc";
import { dateModel } from "./date-model.mjs";

const megabytes = (bytes) => Object.values(bytes).reduce((sum, count) => sum + count, 0) / 1e6;

/** Frozen layers cost nothing: the client computes them in plaintext. Half of the layers frozen halves the cost. */
for (const owner of ["layers", "lf0.5"]) {
  const { totals, links } = await cost({
    architecture: "llama-tiny",
    dims: { seq: 16 },
    private: owner,
    links: ["lan", "wan", "1000x10"],
  });
  const times = links.map(({ link, communicationSeconds }) => `${link} ${communicationSeconds.online.toFixed(2)} s`);
  const { rounds, bytes } = totals.online;
  console.log(`${owner}: ${rounds} rounds, ${megabytes(bytes).toFixed(2)} MB online; ${times.join(", ")}`);
}

/** A budget sets the maximum; the most expensive operators show where the bytes go. */
const report = await cost({ ...dateModel, budget: { rounds: 80, online: { bytes: 5e6 } } });
console.log(`${report.name}: over budget`, report.exceeded);
const largest = [...report.operators].sort((a, b) => megabytes(b.bytes) - megabytes(a.bytes));
for (const { origin, protocol, rounds, bytes } of largest.slice(0, 3)) {
  console.log(`${origin}  ${protocol}  ${rounds} rounds, ${megabytes(bytes).toFixed(3)} MB`);
}
