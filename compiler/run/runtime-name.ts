/** `native`: the package onnxruntime-node. `wasm`: the WebAssembly build in dist/vendor. */
export const runtimeNames = ["native", "wasm"] as const;
export type RuntimeName = (typeof runtimeNames)[number];

/** Which build of ONNX Runtime is in use. */
export interface RuntimeInfo {
  readonly name: RuntimeName;
  readonly version: string;
  /** Why the native build was not loaded, if none was requested. */
  readonly because?: string;
}
