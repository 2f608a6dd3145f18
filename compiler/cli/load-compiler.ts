/** Loaded when something is compiled: emitting programs needs TypeScript, and no other command should wait for that. */
export const loadCompiler = (): Promise<typeof import("../compile/compile.ts")> => import("../compile/compile.ts");
