import * as codes from '../../../assembly/shared/codes.ts';
import { checkChoice, checkFlag, checkInteger, checkKeys, checkNumber } from '../../base/check.ts';
import { GatefoldError } from '../../base/errors.ts';
import type { Activation, ActivationName } from '../specs.ts';
import type { ActivationCode, CellOptions, RecurrentLayerSpec } from './form.ts';

/** Number, and the defaults of alpha and beta where the activation has them. */
const ACTIVATIONS: Readonly<Record<ActivationName, readonly [number, number?, number?]>> = {
  sigmoid: [codes.ACTIVATION_SIGMOID],
  tanh: [codes.ACTIVATION_TANH],
  relu: [codes.ACTIVATION_RELU],
  affine: [codes.ACTIVATION_AFFINE, 1, 0],
  leakyRelu: [codes.ACTIVATION_LEAKY_RELU, 0.01],
  thresholdedRelu: [codes.ACTIVATION_THRESHOLDED_RELU, 1],
  scaledTanh: [codes.ACTIVATION_SCALED_TANH, 1, 1],
  hardSigmoid: [codes.ACTIVATION_HARD_SIGMOID, 0.2, 0.5],
  elu: [codes.ACTIVATION_ELU, 1],
  softsign: [codes.ACTIVATION_SOFTSIGN],
  softplus: [codes.ACTIVATION_SOFTPLUS],
  identity: [codes.ACTIVATION_IDENTITY],
  gelu: [codes.ACTIVATION_GELU],
  silu: [codes.ACTIVATION_SILU],
  selu: [codes.ACTIVATION_SELU],
};

/** Keys that any recurrent layer may have, and those of some. */
export const COMMON_OPTIONS = [
  'activations',
  'clip',
  'dropout',
  'inputDropout',
  'recurrentDropout',
  'zoneout',
] as const;
export const LSTM_OPTIONS = ['projSize', 'projClip', 'cellClip', 'layerNorm'] as const;

/** Every option that a description keeps only where it is given. */
export type OptionalKey = (typeof COMMON_OPTIONS | typeof LSTM_OPTIONS)[number] | 'peephole';

/** The usual activations of gates, candidate and outgoing cell state, as many as the cell has. */
function usual(spec: RecurrentLayerSpec): ActivationName[] {
  if (spec.type === 'lstm') return ['sigmoid', 'tanh', 'tanh'];
  return spec.type === 'gru' ? ['sigmoid', 'tanh'] : [spec.nonlinearity ?? 'tanh'];
}

function activationCode(given: Activation): ActivationCode {
  const { type, ...values } = typeof given === 'string' ? { type: given } : given;
  const [kind, alpha = 0, beta = 0] = ACTIVATIONS[type];
  return { alpha, beta, ...values, kind };
}

function checkActivations(spec: RecurrentLayerSpec, at: string): void {
  const { activations } = spec;
  const count = usual(spec).length;
  const most = spec.bidirectional ? 2 * count : count;
  if (
    !Array.isArray(activations) ||
    (activations.length !== count && activations.length !== most)
  ) {
    const wanted = most > count ? `${count} or ${most}` : `${count}`;
    throw new GatefoldError('ERR_ARGUMENT', `"${at}" expected a list of ${wanted} activations`);
  }
  for (const [k, given] of (activations as readonly Activation[]).entries()) {
    const name = `${at}[${k}]`;
    const values: object = typeof given === 'string' ? { type: given } : given;
    checkKeys(name, values, ['type', 'alpha', 'beta']);
    const { type, ...numbers } = values as Exclude<Activation, string>;
    const takes =
      ACTIVATIONS[checkChoice(name, type, Object.keys(ACTIVATIONS) as ActivationName[])];
    for (const [key, value] of Object.entries(numbers)) {
      if (takes[key === 'alpha' ? 1 : 2] === undefined) {
        throw new GatefoldError('ERR_ARGUMENT', `"${name}.${key}": ${type} takes none`);
      }
      checkNumber(`${name}.${key}`, value, -Infinity);
    }
  }
}

/** The options that a layer gives, checked. */
export function checkOptions(
  spec: RecurrentLayerSpec,
  at: string,
): Pick<RecurrentLayerSpec, Extract<keyof RecurrentLayerSpec, OptionalKey>> {
  const given: Readonly<Record<string, unknown>> = { ...spec };
  const kept: Record<string, unknown> = {};
  for (const key of [...COMMON_OPTIONS, ...LSTM_OPTIONS]) {
    const value = given[key];
    if (value === undefined) continue;
    const name = `${at}.${key}`;
    kept[key] = value;
    if (key === 'activations') checkActivations(spec, name);
    else if (key === 'projSize') checkInteger(name, value, 1, spec.hiddenSize - 1);
    else if (key === 'layerNorm') checkFlag(name, value);
    else if (key.toLowerCase().endsWith('clip')) checkNumber(name, value, 1e-30);
    else checkNumber(name, value, 0, 0.999);
  }
  if (given.projClip !== undefined && given.projSize === undefined) {
    throw new GatefoldError('ERR_ARGUMENT', `"${at}.projClip" needs "projSize"`);
  }
  if (spec.type === 'gru' && spec.layerNorm && spec.resetAfter === false) {
    throw new GatefoldError('ERR_ARGUMENT', `"${at}.layerNorm" needs "resetAfter": true`);
  }
  return kept;
}

const same = (a: ActivationCode, b: ActivationCode): boolean =>
  a.kind === b.kind && a.alpha === b.alpha && a.beta === b.beta;

/** The options of one direction of a layer; `undefined` where the plain cell does what they say. */
export function optionsOf(spec: RecurrentLayerSpec, reverse: boolean): CellOptions | undefined {
  const defaults = usual(spec).map(activationCode);
  const given = (spec.activations ?? []).map(activationCode);
  const own = given.length > defaults.length && reverse ? given.slice(defaults.length) : given;
  const activations = defaults.map((otherwise, k) => own[k] ?? otherwise);
  const [gate, candidate = gate, output = gate] = activations as [ActivationCode];
  const lstm = spec.type === 'lstm' ? spec : undefined;
  const layerNorm = (spec.type === 'lstm' || spec.type === 'gru') && spec.layerNorm === true;
  const before = spec.type === 'gru' && spec.resetAfter === false;
  const kinds = {
    lstm: codes.CELL_LSTM,
    gru: before ? codes.CELL_GRU_BEFORE : codes.CELL_GRU_AFTER,
    rnn: codes.CELL_RNN_TANH,
    indrnn: codes.CELL_INDEPENDENT,
  };
  const options: CellOptions = {
    kind: kinds[spec.type],
    coupled: lstm?.inputForget === true,
    gate,
    candidate,
    output,
    preactClip: spec.clip ?? Infinity,
    cellClip: lstm?.cellClip ?? Infinity,
    projClip: lstm?.projClip ?? Infinity,
    zoneout: spec.zoneout ?? 0,
    recurrentDropout: spec.recurrentDropout ?? 0,
    projected: lstm?.projSize ?? 0,
    layerNorm,
  };
  const { preactClip, cellClip, projected, zoneout, recurrentDropout } = options;
  const isPlain =
    spec.type !== 'indrnn' &&
    activations.every((code, k) => same(code, defaults[k]!)) &&
    preactClip === Infinity &&
    cellClip === Infinity &&
    projected + zoneout + recurrentDropout === 0 &&
    !layerNorm;
  return isPlain ? undefined : options;
}
