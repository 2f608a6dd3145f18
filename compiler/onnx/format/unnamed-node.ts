/** An unnamed node goes by its operator and its first output, which no other node has: `MatMul:h`. */
export const unnamedNode = (op: string, outputs: readonly string[], index?: number): string =>
  `${op}:${outputs.find((name) => name !== "") ?? `#${index}`}`;
