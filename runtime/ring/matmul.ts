import { matmulIntegerPlain, matmulPlain } from "./matmul-plain.ts";

export { matmulIntegerPlain as matmulInteger, matmulPlain as matmul };
