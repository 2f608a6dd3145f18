import { expect, it } from "vitest";
import {
  sigmaTruncate,
  sigmaTruncateWithSlack,
} from "../../../../../runtime/protocols/families/sigma/sigma-truncate.ts";
import { costOf, execute, fixed, quantizeToGrid, reals } from "../../../../harness/execute-protocol.ts";

const spec = (count: number, width: number, by = 12) => ({
  operands: [fixed([count], 24, -500, 500)],
  result: fixed([count], 24 - by, -500, 500, width),
  attrs: { by },
});

it.each([
  sigmaTruncate,
  sigmaTruncateWithSlack,
])("$name rounds to nearest exactly, 1,200 masks in each ring; counted = metered", (protocol) => {
  for (const width of [37, 50, 64]) {
    for (const by of [5, 12, 17]) {
      const x = quantizeToGrid(reals(400, -500, 500, width + by), 24);
      const outcome = execute(protocol, spec(400, width, by), [x], { trial: width * by });
      expect(outcome.metered).toEqual(outcome.counted);
      const unit = 2 ** (24 - by);
      outcome.values.forEach((v, k) => {
        expect(v).toBe(Math.floor(x[k]! * unit + 0.5) / unit + 0);
      });
    }
  }
});

it("costs what protocols.md 5 says of SIGMA, beside the result's opening: (1 + n − f) + 1 and 1 bit each way", () => {
  const floor = costOf(sigmaTruncate, spec(8, 50));
  expect(floor).toMatchObject({ rounds: 3, clientToServer: 1 + (50 - 12) + 1, serverToClient: 1 + (50 - 12) + 1 });
  const slack = costOf(sigmaTruncateWithSlack, spec(8, 50));
  expect(slack).toMatchObject({ rounds: 1, clientToServer: 1, serverToClient: 1 });
});
