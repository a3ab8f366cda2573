import type { Inputs, SequenceOptions } from '../base/tensor.ts';

/** What takes 8 bits, and on what the loss is measured. */
export interface QuantizeOptions {
  /**
   * Whether the weights that multiply the model's inputs take 8 bits too: `float32` for features of
   * unlike scale, the smallest of which 8 bits lose beside the largest. Default `int8`.
   */
  readonly inputs?: 'int8' | 'float32';
  /** Inputs like those to come, on which both models run: `quantization` says how they differ. */
  readonly sample?: QuantizeSample;
}

/** Inputs and options as of `Model.forward`. */
export interface QuantizeSample extends Omit<SequenceOptions, 'padding'> {
  /** As `forward` takes it. */
  readonly x: Inputs;
}

/** What 8 bits cost on a sample. */
export interface Quantization {
  /**
   * How far the outputs of every layer with weights of 8 bits, and of the model, are from those of
   * the float32 model: the root of the mean square, in units of that of its outputs. What comes
   * from the layers before is part of it.
   */
  readonly errors: Readonly<Record<string, number>>;
  /** The layers whose error is more than 5 %, and what to do; absent where there is none. */
  readonly warning?: string;
}

/** Outputs of layers by name. */
export type Outputs = Readonly<Record<string, Float32Array>>;

/** Errors that are worth a warning. */
const BOUND = 0.05;

/** @param mayKeep whether weights of 8 bits multiply features of the inputs. */
export function quantizationOf(exact: Outputs, rough: Outputs, mayKeep: boolean): Quantization {
  const errors = Object.freeze(
    Object.fromEntries(
      Object.entries(exact).map(([name, values]) => [name, errorOf(values, rough[name]!)]),
    ),
  );
  const far = Object.entries(errors).filter(([, error]) => !(error <= BOUND));
  if (far.length === 0) return Object.freeze({ errors });
  const list = far.map(([name, error]) => `"${name}" by ${(100 * error).toFixed(1)} %`);
  const kept =
    'where features of the inputs differ much in scale or lie far from zero, ' +
    "quantize({ inputs: 'float32' }); ";
  const warning =
    `on the sample, outputs of 8 bits differ by more than 5 % from float32: ${list.join(', ')}; ` +
    `${mayKeep ? kept : ''}where nothing else helps, use the float32 model`;
  return Object.freeze({ errors, warning });
}

/** Relative; NaN where some value is not finite, 0 where all are the same. */
function errorOf(exact: Float32Array, rough: Float32Array): number {
  let [difference, size] = [0, 0];
  for (const [k, value] of exact.entries()) {
    difference += (rough[k]! - value) ** 2;
    size += value ** 2;
  }
  return difference === 0 ? 0 : Math.sqrt(difference / size);
}
