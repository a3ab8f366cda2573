/** What Keras calls activations. */
import type { Activation, RowActivation } from '../../ops/activations.ts';
import { unsupported } from './builder.ts';
import { isRecord, numberOf, own, quoted, recordOf, textOf } from './config.ts';
import type { Json } from './config.ts';

/** Where a configuration comes from, since some defaults and formulas differ. */
export interface Version {
  /** 1, 2 or 3; TensorFlow.js counts as 2. */
  readonly major: number;
  /** Whether it is Keras before it was a part of TensorFlow, or TensorFlow.js. */
  readonly isOld: boolean;
}

const SAME: readonly string[] = ['relu', 'sigmoid', 'tanh', 'softplus', 'softsign', 'gelu'];
/** Names in small letters, without lines between words. */
const TABLE: ReadonlyMap<string, RowActivation> = new Map<string, RowActivation>([
  ...SAME.map((name) => [name, name as RowActivation] as const),
  ['elu', 'elu'],
  ['celu', 'elu'],
  ['selu', 'selu'],
  ['silu', 'silu'],
  ['swish', 'silu'],
  ['softmax', 'softmax'],
  ['logsoftmax', 'logSoftmax'],
  ['leakyrelu', { type: 'leakyRelu', alpha: 0.2 }],
  ['relu6', { type: 'clip', alpha: 0, beta: 6 }],
  ['hardtanh', { type: 'clip', alpha: -1, beta: 1 }],
]);
/** Those of whole rows, which a cell cannot have. */
const OF_ROWS: readonly unknown[] = ['softmax', 'logSoftmax', 'clip'];

function named(name: string, { major }: Version): RowActivation | 'linear' | undefined {
  const plain = name.split(/[.>]/).at(-1)!.replaceAll('_', '').toLowerCase();
  if (plain === 'linear' || plain === 'identity') return 'linear';
  if (plain !== 'hardsigmoid') return TABLE.get(plain);
  return major < 3 ? 'hardSigmoid' : { type: 'hardSigmoid', alpha: 1 / 6, beta: 0.5 };
}

/** The slope below 0 of a layer or function. */
export function slopeOf(config: Json, otherwise: number): number {
  return numberOf(config, 'negative_slope') ?? numberOf(config, 'alpha') ?? otherwise;
}

/** `relu` with its limits. */
export function reluOf(config: Json, at: string): RowActivation {
  const slope = slopeOf(config, 0);
  const threshold = numberOf(config, 'threshold') ?? 0;
  const most = numberOf(config, 'max_value');
  if (threshold === 0 && most === undefined) {
    return slope ? { type: 'leakyRelu', alpha: slope } : 'relu';
  }
  if (threshold === 0 && !slope) return { type: 'clip', alpha: 0, beta: most! };
  if (most === undefined && !slope) return { type: 'thresholdedRelu', alpha: threshold };
  return unsupported(at, 'a ReLU of this threshold, slope and largest value is not supported');
}

/** Layers that may stand for an activation. */
function ofLayer(className: string, config: Json, at: string): RowActivation | undefined {
  if (className === 'ReLU') return reluOf(config, at);
  if (className === 'LeakyReLU') return { type: 'leakyRelu', alpha: slopeOf(config, 0.3) };
  if (className === 'ELU') return { type: 'elu', alpha: numberOf(config, 'alpha') ?? 1 };
  return undefined;
}

/**
 * The activation under a key of a configuration; `undefined` for none.
 *
 * @param own activations that the caller knows, by their names in the file.
 */
export function activationOf(
  config: Json,
  key: string,
  otherwise: string,
  version: Version,
  at: string,
  others: (name: string) => RowActivation | undefined = () => undefined,
): RowActivation | undefined {
  const value = own(config, key) ?? otherwise;
  const className = textOf(value, 'class_name');
  const inner = own(value, 'config');
  // A function is { class_name: 'function', config: name }, a layer has a configuration.
  const name = typeof value === 'string' ? value : typeof inner === 'string' ? inner : className;
  if (name === undefined) return unsupported(at, `its ${key} is not known`);
  const known =
    others(name) ??
    (className !== undefined && isRecord(inner)
      ? ofLayer(className, recordOf(value, 'config'), at)
      : undefined) ??
    named(name, version);
  if (known !== undefined) return known === 'linear' ? undefined : known;
  const fix = 'with { layers: { NAME: { type: "activation", activation } } } say what it is';
  return unsupported(at, `the ${key} ${quoted(name)} is not supported; ${fix}`);
}

/** The same of a cell. */
export function cellActivation(...given: Parameters<typeof activationOf>): Activation {
  const activation = activationOf(...given) ?? 'identity';
  const type = typeof activation === 'string' ? activation : activation.type;
  if (!OF_ROWS.includes(type)) return activation as Activation;
  return unsupported(given[4], `${type} as the ${given[1]} of a cell is not supported`);
}
