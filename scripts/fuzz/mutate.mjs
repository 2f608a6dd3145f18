// One valid file in, one like it but wrong out: by bytes, or by the fields of the messages.
import onnxProto from "onnx-proto";

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

/** A chain of one to four changes of bytes. */
export function mutateBytes(bytes, random, others) {
  let out = Uint8Array.from(bytes);
  for (let count = 1 + random.below(4); count > 0; count--) out = changeBytes(out, random, others);
  return out;
}

const join = (...parts) => Uint8Array.from(Buffer.concat(parts));
const changes = [
  (bytes, at) => bytes.subarray(0, at),
  (bytes, at, random) => bytes.map((byte, index) => (index === at ? random.below(256) : byte)),
  (bytes, at, random) => bytes.map((byte, index) => (index === at ? byte ^ (1 << random.below(8)) : byte)),
  (bytes, at, random) => bytes.map((byte, index) => (index === at ? random.pick([0, 1, 0x7f, 0x80, 0xff]) : byte)),
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
  // A digit, where the file is text.
  (bytes, at) => bytes.map((byte, index) => (index === at && byte >= 0x30 && byte <= 0x39 ? 0x39 : byte)),
];
const changeBytes = (bytes, random, others) =>
  random.pick(changes)(bytes, random.below(bytes.length + 1), random, others);

/** Every place of a message tree whose value may be changed. */
function placesOf(root) {
  const places = [];
  const visit = (holder, key, value) => {
    places.push({ holder, key, value });
    if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return;
    for (const [inner, item] of Object.entries(value)) visit(value, inner, item);
  };
  for (const [key, value] of Object.entries(root)) visit(root, key, value);
  return places;
}

const isLong = (value) => typeof value === "object" && value !== null && "low" in value && "high" in value;

/** Changes one to five fields of a model; undefined when the result cannot be written. */
export function mutateModel(bytes, random) {
  const root = onnx.ModelProto.toObject(onnx.ModelProto.decode(bytes), { longs: Number });
  for (let count = 1 + random.below(5); count > 0; count--) {
    const places = placesOf(root);
    changeField(random.pick(places), places, random);
  }
  try {
    return onnx.ModelProto.encode(onnx.ModelProto.fromObject(root)).finish();
  } catch {
    return undefined;
  }
}

function changeField({ holder, key, value }, places, random) {
  const others = places.filter((place) => place.key === key && typeof place.value === typeof value);
  if (random.chance(0.1)) remove(holder, key);
  else if (random.chance(0.25) && others.length > 0) holder[key] = structuredClone(random.pick(others).value);
  else if (key === "opType") holder[key] = random.pick(operators);
  else if (Array.isArray(value)) changeList(value, random);
  else if (typeof value === "number" || isLong(value)) holder[key] = random.pick(numeric(key) ? reals : extremes);
  else if (typeof value === "string") holder[key] = random.pick([...hostileNames, ...stringsOf(places)]);
  else if (ArrayBuffer.isView(value)) holder[key] = value.subarray(0, random.below(value.length + 1));
  else if (typeof value === "object" && value !== null) addField(value, random);
}

const numeric = (key) => key === "f";
const stringsOf = (places) =>
  places
    .map(({ value }) => value)
    .filter((value) => typeof value === "string")
    .slice(0, 200);

function remove(holder, key) {
  if (Array.isArray(holder)) holder.splice(Number(key), 1);
  else delete holder[key];
}

function changeList(list, random) {
  const at = random.below(list.length + 1);
  if (list.length === 0 || random.chance(0.2)) list.splice(at, 1);
  else if (random.chance(0.3)) list.splice(at, 0, structuredClone(random.pick(list)));
  else if (random.chance(0.6)) list[at % list.length] = structuredClone(random.pick(list));
  else if (typeof list[0] === "number")
    list[random.below(list.length)] = random.pick(random.chance(0.2) ? extremes : [0, 1, -1, 2, 3, 5]);
  else list.length = at;
}

/** What most messages do not have: attributes, inputs, other types. */
function addField(message, random) {
  const { attribute } = message;
  if (Array.isArray(attribute) && random.chance(0.5)) {
    const name = random.pick([
      "axis",
      "axes",
      "keepdims",
      "group",
      "strides",
      "pads",
      "kernel_shape",
      "dilations",
      "perm",
      "to",
      "value",
      "mode",
      "direction",
      "auto_pad",
      "ceil_mode",
      "blocksize",
      "equation",
      "hidden_size",
      "layout",
    ]);
    const kinds = [
      { type: 2, i: random.pick(extremes) },
      { type: 7, ints: [random.pick(extremes), 1] },
      { type: 1, f: random.pick(reals) },
      { type: 3, s: Buffer.from(random.pick(["SAME_UPPER", "ij,jk->ik", "reverse", ""])) },
    ];
    attribute.push({ name, ...random.pick(kinds) });
  } else if (Array.isArray(message.input)) message.input.push(random.pick(["", "x", "nowhere"]));
  else if ("dataType" in message) message.dataType = 1 + random.below(26);
  else if ("elemType" in message) message.elemType = 1 + random.below(26);
}

/** The same model with 0.75 for every stored real number. */
export function publicCounterpart(bytes) {
  const message = onnx.ModelProto.decode(bytes);
  for (const tensor of message.graph?.initializer ?? []) {
    const count = (tensor.dims ?? []).reduce((product, dim) => product * Number(dim), 1);
    if (tensor.dataType !== 1 || !(count > 0 && count < 2 ** 20)) continue;
    const rawData = new Uint8Array(new Float32Array(count).fill(0.75).buffer);
    Object.assign(tensor, { rawData, floatData: [], externalData: [], dataLocation: 0 });
  }
  return onnx.ModelProto.encode(message).finish();
}
