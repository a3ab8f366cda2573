// Numbers that both halves know: asc and tsc read this file as it is.

/** Which arithmetic a recurrent layer does. */
export const CELL_RNN = 0;
/** A network whose units see no state but their own. */
export const CELL_INDEPENDENT = 1;
export const CELL_LSTM = 2;
export const CELL_LSTM_COUPLED = 3;
export const CELL_GRU_AFTER = 4;
export const CELL_GRU_BEFORE = 5;
export const CELL_MINGRU = 6;

/**
 * Tiles of products: the usual ones; those for vectors of 256 bits, where V8 joins neighbouring
 * ones; those of few sums, for a V8 that would keep some of the usual ones in memory.
 */
export const TILES_USUAL = 0;
export const TILES_WIDE = 1;
export const TILES_SMALL = 2;

/** With which activations and bounds: the usual ones, relu for tanh, or those of `Options`. */
export const POLICY_USUAL = 0;
export const POLICY_RELU = 1;
export const POLICY_CHOSEN = 2;

/** Activations of gates and of elementwise layers. */
export const ACTIVATION_SIGMOID = 0;
export const ACTIVATION_TANH = 1;
export const ACTIVATION_RELU = 2;
export const ACTIVATION_AFFINE = 3;
export const ACTIVATION_LEAKY_RELU = 4;
export const ACTIVATION_THRESHOLDED_RELU = 5;
export const ACTIVATION_SCALED_TANH = 6;
export const ACTIVATION_HARD_SIGMOID = 7;
export const ACTIVATION_ELU = 8;
export const ACTIVATION_SOFTSIGN = 9;
export const ACTIVATION_SOFTPLUS = 10;
export const ACTIVATION_IDENTITY = 11;
export const ACTIVATION_GELU = 12;
export const ACTIVATION_SILU = 13;
export const ACTIVATION_SELU = 14;
/** Activations of whole rows, which no gate has. */
export const ACTIVATION_SOFTMAX = 15;
export const ACTIVATION_LOG_SOFTMAX = 16;
/** Elementwise mathematics, which no gate has either. */
export const ACTIVATION_ABS = 17;
export const ACTIVATION_NEG = 18;
export const ACTIVATION_SQRT = 19;
export const ACTIVATION_LOG = 20;
export const ACTIVATION_POW = 21;
export const ACTIVATION_CLIP = 22;
/** A rectifier that learns its slope below 0: of every feature, or one for all. */
export const ACTIVATION_PRELU = 23;
export const ACTIVATION_PRELU_ONE = 24;
/** Of programs alone. */
export const ACTIVATION_EXP = 25;
export const ACTIVATION_ERF = 26;

/**
 * Which state the recurrent product of a layer multiplies: the hidden one, or the cell state
 * (`peephole: 'cell'`).
 */
export const OPERAND_HIDDEN = 0;
export const OPERAND_CELL = 1;

/** Optimizers. */
export const OPTIMIZER_SGD = 0;
export const OPTIMIZER_RMSPROP = 1;
export const OPTIMIZER_ADAM = 2;

/** Floats of one SIMD vector, and the bytes that arena blocks are aligned to (a cache line). */
export const LANES = 4;
export const ALIGN = 64;

/**
 * Below this a state, a moment or a gate's gradient is taken as zero: denormals cost a hundredfold.
 */
export const TINY = 1e-30;

/** How the two directions of a layer become one output. */
export const JOIN_ADD = 0;
export const JOIN_SUBTRACT = 1;
export const JOIN_MULTIPLY = 2;
export const JOIN_DIVIDE = 3;
export const JOIN_MEAN = 4;

/** What a row is normalised by: its mean and variance, its mean square, or given numbers. */
export const NORM_LAYER = 0;
export const NORM_RMS = 1;
export const NORM_AFFINE = 2;

/** Losses of single elements, and that of classes. */
export const LOSS_SQUARED = 0;
export const LOSS_ABSOLUTE = 1;
export const LOSS_HUBER = 2;
export const LOSS_BINARY = 3;
export const LOSS_CLASSES = 4;

/** How the steps of a sequence become one row. */
export const POOL_LAST = 0;
export const POOL_FIRST = 1;
export const POOL_MEAN = 2;
export const POOL_MAX = 3;

/** How the features of a row become one. */
export const REDUCE_MEAN = 0;
export const REDUCE_SUM = 1;
export const REDUCE_MAX = 2;

/** What threads share out; see assembly/threads.ts. */
export const PART_INPUTS = 0;
export const PART_WEIGHTS = 1;
export const PART_INPUTS_BACK = 2;
export const PART_DENSE = 3;
export const PART_DENSE_WEIGHTS = 4;
export const PART_DENSE_BACK = 5;
export const PART_UPDATE = 6;
export const PART_GATHER = 7;
export const PART_ADD = 8;
export const PART_LOSS = 9;

/** From this depth on a row of 8-bit weights may have one in float32, in 5 % of the time. */
export const OUTLIER_DEPTH = 512;

/**
 * Operators of programs (assembly/tensors/walk.ts): of elements, reductions, rows, and those of
 * matrices and images.
 */
export const WALK_COPY = 0;
export const WALK_ADD = 1;
export const WALK_SUBTRACT = 2;
export const WALK_MULTIPLY = 3;
export const WALK_DIVIDE = 4;
export const WALK_POWER = 5;
export const WALK_MIN = 6;
export const WALK_MAX = 7;
export const WALK_EQUAL = 8;
export const WALK_GREATER = 9;
export const WALK_NOT_LESS = 10;
export const WALK_AND = 11;
export const WALK_OR = 12;
export const WALK_PRELU = 13;
export const WALK_PICK = 14;
export const WALK_FLOOR = 15;
export const WALK_CEIL = 16;
export const WALK_ROUND = 17;
export const WALK_TRUNCATE = 18;
export const WALK_SUM = 19;
export const WALK_PRODUCT = 20;
export const WALK_LARGEST = 21;
export const WALK_SMALLEST = 22;
export const WALK_GATHER = 23;
export const WALK_SCATTER = 24;
export const WALK_MATRIX = 25;
export const WALK_CONVOLUTION = 26;
export const WALK_POOL = 27;
