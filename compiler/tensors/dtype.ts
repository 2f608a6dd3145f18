/** Element types of files by ONNX name, with bytes per element. */
export const itemSizes = {
  float32: 4,
  float64: 8,
  float16: 2,
  bfloat16: 2,
  int8: 1,
  int16: 2,
  int32: 4,
  int64: 8,
  uint8: 1,
  uint16: 2,
  uint32: 4,
  uint64: 8,
  bool: 1,
} as const;

export type Dtype = keyof typeof itemSizes;

/** TensorProto.DataType of the types that the compiler reads. */
const dtypeNumbers: Readonly<Record<Dtype, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
};
const byNumber = new Map(Object.entries(dtypeNumbers).map(([name, number]) => [number, name as Dtype]));

/** The other values of TensorProto.DataType, for messages. */
const unsupportedTypes: readonly (readonly [number, string])[] = [
  [0, "UNDEFINED"],
  [8, "STRING"],
  [14, "COMPLEX64"],
  [15, "COMPLEX128"],
  [17, "FLOAT8E4M3FN"],
  [18, "FLOAT8E4M3FNUZ"],
  [19, "FLOAT8E5M2"],
  [20, "FLOAT8E5M2FNUZ"],
  [21, "UINT4"],
  [22, "INT4"],
  [23, "FLOAT4E2M1"],
  [24, "FLOAT8E8M0"],
  [25, "UINT2"],
  [26, "INT2"],
];
const unsupportedByNumber = new Map(unsupportedTypes);

export function dtypeFromOnnx(onnxNumber: number): Dtype | undefined {
  return byNumber.get(onnxNumber);
}

export function onnxTypeNumber(dtype: Dtype): number {
  return dtypeNumbers[dtype];
}

export function isDtype(name: string): name is Dtype {
  return Object.hasOwn(itemSizes, name);
}

/** The ONNX name of a type, or its number, for messages. */
export function describeDtype(onnxNumber: number): string {
  return byNumber.get(onnxNumber) ?? unsupportedByNumber.get(onnxNumber) ?? `number ${onnxNumber}`;
}

/** Type names in programs and files. */
const shortNames: Readonly<Partial<Record<Dtype, string>>> = {
  float32: "f32",
  float64: "f64",
  int64: "i64",
  int32: "i32",
  bool: "bool",
};
export const shortType = (dtype: Dtype): string => shortNames[dtype] ?? dtype;
/** The inverse of shortType; float32 for unknown names. */
export const dtypeOfType = (type: string): Dtype =>
  (Object.keys(shortNames) as Dtype[]).find((dtype) => dtype === type || shortNames[dtype] === type) ?? "float32";
