import { expandedMlOperators, mlDomain, refusalAttribute } from "../../../normalize/index.ts";
import {
  type GraphOperand,
  inputOf,
  type LowerContext,
  type Lowering,
  type LowerTable,
  refuseNode,
  stringAttr,
} from "../../graph/index.ts";
import { gatherScatterLowerings } from "../tensor/gather-scatter.ts";

/** Elements at these positions of the last axis; a vector is a single row. */
function arrayFeatureExtractor(context: LowerContext): GraphOperand {
  const { emit, shape } = context;
  const [x, positions] = [inputOf(context, 0, "X"), inputOf(context, 1, "Y")];
  const rows = shape(x).length === 1 ? emit("reshape", [x], { shape: [1, ...shape(x)] }) : x;
  const count = shape(positions).reduce((a, b) => a * b, 1);
  const flat = emit("reshape", [positions], { shape: [count] });
  const node = { ...context.node, attributes: new Map([["axis", { kind: "int", value: -1 }] as const]) };
  return gather({ ...context, node, inputs: [rows, flat] }) as GraphOperand;
}

const gather = gatherScatterLowerings.Gather!;

/** What the normalization could not write in operators of the default domain. */
const refusal: Lowering = (context) => refuseNode(stringAttr(context, refusalAttribute, "this form is not supported"));

export const classicModelLowerings: LowerTable = {
  ...Object.fromEntries(expandedMlOperators.map((op) => [`${mlDomain}.${op}`, refusal])),
  [`${mlDomain}.ArrayFeatureExtractor`]: arrayFeatureExtractor,
};
