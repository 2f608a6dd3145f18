// Turns a valid file into a similar one that is wrong: by its bytes, or by the fields of its messages.
import onnxProto from "onnx-proto";
import type { Random } from "./random.ts";

const { onnx } = onnxProto;
const extremes = [
  0,
  1,
  -1,
  2,
  3,
  7,
  64,
  127,
  128,
  255,
  65536,
  2 ** 20,
  2 ** 30,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32,
  2 ** 40,
  2 ** 53,
  -(2 ** 31),
  -(2 ** 63),
];
const reals = [0, -0, 1, -1, 1e-30, 1e30, 3.4e38, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
const hostileNames = [
  "",
  "__proto__",
  "constructor",
  "toString",
  "a\nb",
  "*/ process.exit(1) //",
  "`$'{x}`",
  '"]); x(',
  "\u2028",
  "../x",
  "x".repeat(5000),
  "é\u202e",
];
const operators = (
  "Abs Add And ArgMax AveragePool BatchNormalization Cast Ceil Clip Concat Constant ConstantOfShape Conv ConvTranspose " +
  "CumSum DepthToSpace Div Dropout Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor GRU Gather GatherElements " +
  "GatherND Gelu Gemm GlobalAveragePool Greater GroupNormalization HardSigmoid Identity If InstanceNormalization LRN " +
  "LSTM LayerNormalization LeakyRelu Less Log LogSoftmax Loop LpNormalization MatMul Max MaxPool Mean Min Mod Mul Neg " +
  "NonZero Not OneHot Or PRelu Pad Pow RNN Range Reciprocal ReduceMax ReduceMean ReduceSum ReduceProd Relu Reshape " +
  "Resize Round ScatterND ScatterElements Scan Shape Sigmoid Sign Size Slice Softmax SpaceToDepth Split Sqrt Squeeze " +
  "Sub Sum Tanh Tile TopK Transpose Trilu Unsqueeze Upsample Where Attention RMSNormalization RotaryEmbedding Swish " +
  "GroupQueryAttention MultiHeadAttention EmbedLayerNormalization FusedMatMul FusedConv FusedGemm SkipLayerNormalization " +
  "DequantizeLinear QuantizeLinear MatMulNBits GatherBlockQuantized MatMulInteger ConvInteger"
).split(" ");

/** One to four changes of bytes in a row. Pieces of `others` may be copied in. */
export function mutateBytes(bytes: Uint8Array, random: Random, others: readonly Uint8Array[]): Uint8Array {
  let mutated: Uint8Array = Uint8Array.from(bytes);
  for (let count = 1 + random.below(4); count > 0; count--) mutated = changeBytes(mutated, random, others);
  return mutated;
}

type ByteChange = (bytes: Uint8Array, at: number, random: Random, others: readonly Uint8Array[]) => Uint8Array;

const join = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));
const replaceByte = (bytes: Uint8Array, at: number, change: (byte: number) => number): Uint8Array =>
  bytes.map((byte, index) => (index === at ? change(byte) : byte));

const byteChanges: readonly ByteChange[] = [
  (bytes, at) => bytes.subarray(0, at),
  (bytes, at, random) => replaceByte(bytes, at, () => random.below(256)),
  (bytes, at, random) => replaceByte(bytes, at, (byte) => byte ^ (1 << random.below(8))),
  (bytes, at, random) => replaceByte(bytes, at, () => random.pick([0, 1, 0x7f, 0x80, 0xff])),
  (bytes, at, random) => join(bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(16))),
  (bytes, at, random) =>
    join(
      bytes.subarray(0, at),
      Uint8Array.from({ length: 1 + random.below(9) }, () => random.below(256)),
      bytes.subarray(at),
    ),
  (bytes, at, random) => {
    const piece = bytes.subarray(at, at + random.below(64));
    return join(bytes.subarray(0, at), piece, piece, bytes.subarray(at));
  },
  (bytes, at, random, others) => {
    const other = random.pick(others);
    const from = random.below(other.length);
    return join(bytes.subarray(0, at), other.subarray(from, from + random.below(256)), bytes.subarray(at));
  },
  // In text, a digit becomes 9.
  (bytes, at) => replaceByte(bytes, at, (byte) => (byte >= 0x30 && byte <= 0x39 ? 0x39 : byte)),
];
const changeBytes = (bytes: Uint8Array, random: Random, others: readonly Uint8Array[]): Uint8Array =>
  random.pick(byteChanges)(bytes, random.below(bytes.length + 1), random, others);

type Message = Record<string, unknown>;

/** A value of a message tree that may be changed. `holder` is a message or a list. */
interface Field {
  readonly holder: Message;
  readonly key: string;
  readonly value: unknown;
}

function fieldsOf(root: Message): readonly Field[] {
  const fields: Field[] = [];
  const visit = (holder: Message, key: string, value: unknown): void => {
    fields.push({ holder, key, value });
    if (!isHolder(value)) return;
    for (const [inner, item] of Object.entries(value)) visit(value, inner, item);
  };
  for (const [key, value] of Object.entries(root)) visit(root, key, value);
  return fields;
}

const isHolder = (value: unknown): value is Message =>
  typeof value === "object" && value !== null && !ArrayBuffer.isView(value);
const isLong = (value: unknown): boolean => isHolder(value) && "low" in value && "high" in value;

/** Changes one to five fields of a model; undefined when the result cannot be written. */
export function mutateModel(bytes: Uint8Array, random: Random): Uint8Array | undefined {
  const root: Message = onnx.ModelProto.toObject(onnx.ModelProto.decode(bytes), { longs: Number });
  for (let count = 1 + random.below(5); count > 0; count--) {
    const fields = fieldsOf(root);
    changeField(random.pick(fields), fields, random);
  }
  try {
    return onnx.ModelProto.encode(onnx.ModelProto.fromObject(root)).finish();
  } catch {
    return undefined;
  }
}

function changeField({ holder, key, value }: Field, fields: readonly Field[], random: Random): void {
  const others = fields.filter((field) => field.key === key && typeof field.value === typeof value);
  if (random.chance(0.1)) removeField(holder, key);
  else if (random.chance(0.25) && others.length > 0) holder[key] = structuredClone(random.pick(others).value);
  else if (key === "opType") holder[key] = random.pick(operators);
  else if (Array.isArray(value)) changeList(value, random);
  else if (typeof value === "number" || isLong(value)) holder[key] = random.pick(key === "f" ? reals : extremes);
  else if (typeof value === "string") holder[key] = random.pick([...hostileNames, ...stringsOf(fields)]);
  else if (value instanceof Uint8Array) holder[key] = value.subarray(0, random.below(value.length + 1));
  else if (isHolder(value)) addField(value, random);
}

const stringsOf = (fields: readonly Field[]): readonly string[] =>
  fields.flatMap(({ value }) => (typeof value === "string" ? [value] : [])).slice(0, 200);

function removeField(holder: Message, key: string): void {
  if (Array.isArray(holder)) holder.splice(Number(key), 1);
  else delete holder[key];
}

function changeList(list: unknown[], random: Random): void {
  const at = random.below(list.length + 1);
  if (list.length === 0 || random.chance(0.2)) list.splice(at, 1);
  else if (random.chance(0.3)) list.splice(at, 0, structuredClone(random.pick(list)));
  else if (random.chance(0.6)) list[at % list.length] = structuredClone(random.pick(list));
  else if (typeof list[0] === "number")
    list[random.below(list.length)] = random.pick(random.chance(0.2) ? extremes : [0, 1, -1, 2, 3, 5]);
  else list.length = at;
}

const attributeNames = (
  "axis axes keepdims group strides pads kernel_shape dilations perm to value mode direction auto_pad ceil_mode " +
  "blocksize equation hidden_size layout"
).split(" ");

/** Adds what most messages lack: attributes, inputs, other types. */
function addField(message: Message, random: Random): void {
  const { attribute, input } = message;
  if (Array.isArray(attribute) && random.chance(0.5)) {
    const name = random.pick(attributeNames);
    const kinds = [
      { type: 2, i: random.pick(extremes) },
      { type: 7, ints: [random.pick(extremes), 1] },
      { type: 1, f: random.pick(reals) },
      { type: 3, s: Buffer.from(random.pick(["SAME_UPPER", "ij,jk->ik", "reverse", ""])) },
    ];
    attribute.push({ name, ...random.pick(kinds) });
  } else if (Array.isArray(input)) input.push(random.pick(["", "x", "nowhere"]));
  else if ("dataType" in message) message.dataType = 1 + random.below(26);
  else if ("elemType" in message) message.elemType = 1 + random.below(26);
}

/** The same model with 0.75 for every stored real value. */
export function publicCounterpart(bytes: Uint8Array): Uint8Array {
  const message = onnx.ModelProto.decode(bytes);
  for (const tensor of message.graph?.initializer ?? []) {
    const count = (tensor.dims ?? []).reduce<number>((product, dim) => product * Number(dim), 1);
    if (tensor.dataType !== 1 || !(count > 0 && count < 2 ** 20)) continue;
    const rawData = new Uint8Array(new Float32Array(count).fill(0.75).buffer);
    Object.assign(tensor, { rawData, floatData: [], externalData: [], dataLocation: 0 });
  }
  return onnx.ModelProto.encode(message).finish();
}
