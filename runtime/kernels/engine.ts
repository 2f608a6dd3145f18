/** The part of WebAssembly that the runtime uses: the libraries of ES2023 and Node do not declare it. */
interface WebAssemblyApi {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports?: object) => { readonly exports: unknown };
  readonly Memory: new (size: { readonly initial: number }) => WasmMemory;
}

export interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

const webAssembly = (): WebAssemblyApi => (globalThis as unknown as { WebAssembly: WebAssemblyApi }).WebAssembly;

export const newMemory = (pages: number): WasmMemory => new (webAssembly().Memory)({ initial: pages });

/** The exports of a module, compiled at once: for modules of a few kB, which a browser's main thread takes too. */
export function instantiate(bytes: Uint8Array, imports?: object): unknown {
  const { Module, Instance } = webAssembly();
  return new Instance(new Module(bytes), imports).exports;
}
