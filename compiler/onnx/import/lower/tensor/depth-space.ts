import {
  type GraphOperand,
  inputOf,
  intAttr,
  type LowerContext,
  type LowerTable,
  refuseNode,
  stringAttr,
} from "../../graph/index.ts";

/** Position of the two block axes among the channels: before them (DCR) or after (CRD). */
const blockOrders = {
  DCR: { split: (b: number, c: number) => [b, b, c], perm: [0, 3, 4, 1, 5, 2] },
  CRD: { split: (b: number, c: number) => [c, b, b], perm: [0, 1, 4, 2, 5, 3] },
} as const;

/** [N, C·b², H, W] to [N, C, H·b, W·b]. */
function depthToSpace(context: LowerContext): GraphOperand {
  const { emit, shape } = context;
  const x = inputOf(context, 0, "input");
  const [batch, depth, height, width] = shape(x) as [number, number, number, number];
  const block = intAttr(context, "blocksize", 1);
  const mode = stringAttr(context, "mode", "DCR");
  if (mode !== "DCR" && mode !== "CRD") return refuseNode(`the mode ${mode}`);
  const { split, perm } = blockOrders[mode];
  const channels = depth / block ** 2;
  const parts = emit("reshape", [x], { shape: [batch, ...split(block, channels), height, width] });
  const whole = [batch, channels, height * block, width * block];
  return emit("reshape", [emit("transpose", [parts], { perm })], { shape: whole });
}

/** [N, C, H·b, W·b] to [N, b·b·C, H, W]. */
function spaceToDepth(context: LowerContext): GraphOperand {
  const { emit, shape } = context;
  const x = inputOf(context, 0, "input");
  const [batch, channels, height, width] = shape(x) as [number, number, number, number];
  const block = intAttr(context, "blocksize", 1);
  const [rows, columns] = [height / block, width / block];
  const parts = emit("reshape", [x], { shape: [batch, channels, rows, block, columns, block] });
  const moved = emit("transpose", [parts], { perm: [0, 3, 5, 1, 2, 4] });
  return emit("reshape", [moved], { shape: [batch, channels * block ** 2, rows, columns] });
}

export const depthSpaceLowerings: LowerTable = { DepthToSpace: depthToSpace, SpaceToDepth: spaceToDepth };
