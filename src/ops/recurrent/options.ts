import * as codes from '../../../assembly/shared/codes.ts';
import { checkFlag } from '../../base/check.ts';
import { GatefoldError } from '../../base/errors.ts';
import { activationCode, checkCellActivation } from '../activations.ts';
import type { Activation, ActivationCode } from '../activations.ts';
import { flag, inputWidth, width } from '../options.ts';
import type { OptionBase, OptionSpec, OptionTable } from '../options.ts';
import type { CellKind, CellOptions } from './form.ts';
import { checkInitialState } from './initial.ts';
import type { CellSpec } from './specs.ts';

/** Most layers and sub-layers of a model, each direction one: for descriptions out of files. */
export const MAX_LAYERS = 4096;

const probability = (names: OptionBase): OptionSpec => ({
  kind: 'number',
  low: 0,
  high: 0.999,
  otherwise: 'off',
  ...names,
});

/** The options of a recurrent layer, those of its cell among them. */
export function tableOf(cell: CellKind): OptionTable {
  return {
    inputSize: inputWidth({ pytorch: 'input_size' }),
    hiddenSize: width({
      about: 'H, hidden units.',
      pytorch: 'hidden_size',
      keras: 'units',
      onnx: 'hidden_size',
    }),
    numLayers: {
      kind: 'integer',
      low: 1,
      high: MAX_LAYERS,
      otherwise: 1,
      about: 'L, layers stacked on one another and all alike.',
      pytorch: 'num_layers',
    },
    bias: {
      kind: 'own',
      expects: "true, false or 'single'",
      check: (name, value = true) => (value === 'single' ? value : checkFlag(name, value)),
      about: 'Two biases (`bias_ih`, `bias_hh`), none, or `single`: `bias_ih` alone.',
      pytorch: 'bias',
      keras: 'use_bias',
      onnx: 'B',
    },
    direction: {
      kind: 'choice',
      choices: ['forward', 'backward'],
      otherwise: 'forward',
      about: 'Which way the valid prefix of a sequence is read; outputs keep their places.',
      keras: 'go_backwards',
      onnx: 'direction',
    },
    bidirectional: flag(false, {
      about: 'Reads both ways, every sub-layer.',
      pytorch: 'bidirectional',
      keras: 'Bidirectional',
      onnx: "direction 'bidirectional'",
    }),
    merge: {
      kind: 'choice',
      choices: ['concat', 'sum', 'mul', 'mean'],
      aliases: { ave: 'mean' },
      otherwise: 'concat',
      about: 'How the outputs of both ways become one: 2H features (`concat`) or H.',
      keras: 'merge_mode',
    },
    activations: {
      kind: 'own',
      expects: 'a list of activations',
      check: (name, value, spec) => checkActivations(cell, name, value, spec as CellSpec),
      otherwise: 'off',
      about: `Instead of the usual ${cell.usual({ type: cell.type, hiddenSize: 1 }).join(', ')}; a bidirectional layer may give them twice, forward first.`,
      keras: 'activation, recurrent_activation',
      onnx: 'activations',
    },
    clip: {
      kind: 'number',
      low: 1e-30,
      otherwise: 'off',
      about: 'Bound of what the activations of gates and candidate see.',
      onnx: 'clip',
    },
    dropout: probability({
      about: 'In training: dropout of the outputs between sub-layers.',
      pytorch: 'dropout',
    }),
    inputDropout: probability({
      about: 'In training: dropout of the inputs of every sub-layer, one mask for all steps.',
      keras: 'dropout',
    }),
    recurrentDropout: probability({
      about:
        'In training: dropout of the state on its way into the recurrent product, one mask for all steps and gates.',
      keras: 'recurrent_dropout',
    }),
    zoneout: probability({
      about:
        "Probability p that a unit's h stays as it was; in inference h = p h' + (1 - p) h_new.",
    }),
    initialState: {
      kind: 'own',
      expects: "'zero', 'learned' or an object such as { h: 'encoder.h' }",
      check: checkInitialState,
      otherwise: 'off',
      about:
        'What h and c are before the first step: zeros, parameters (`h0`, `c0`), or the rows of other layers.',
      keras: 'initial_state',
      onnx: 'initial_h, initial_c',
    },
    ...cell.offOptions,
    ...cell.options,
  };
}

function checkActivations(cell: CellKind, at: string, given: unknown, spec: CellSpec): unknown {
  const count = cell.usual(spec).length;
  const most = spec.bidirectional ? 2 * count : count;
  if (!Array.isArray(given) || (given.length !== count && given.length !== most)) {
    const wanted = most > count ? `${count} or ${most}` : `${count}`;
    throw new GatefoldError('ERR_ARGUMENT', `"${at}" expected a list of ${wanted} activations`);
  }
  for (const [k, activation] of (given as readonly Activation[]).entries()) {
    checkCellActivation(`${at}[${k}]`, activation);
  }
  return given;
}

const same = (a: ActivationCode, b: ActivationCode): boolean =>
  a.kind === b.kind && a.alpha === b.alpha && a.beta === b.beta;

/** Activations whose slope follows from what they give. */
const FROM_OUTPUT: readonly number[] = [
  codes.ACTIVATION_SIGMOID,
  codes.ACTIVATION_TANH,
  codes.ACTIVATION_RELU,
  codes.ACTIVATION_AFFINE,
  codes.ACTIVATION_HARD_SIGMOID,
  codes.ACTIVATION_IDENTITY,
];

/** What one direction of a layer has beyond its cell. */
interface Chosen {
  /** Which activations and bounds the kernels run it with. */
  readonly policy: number;
  /** Absent where the policy says it all. */
  readonly options?: CellOptions;
}

/** The options of one direction of a layer. */
export function optionsOf(cell: CellKind, spec: CellSpec, reverse: boolean): Chosen {
  const defaults = cell.usual(spec).map(activationCode);
  const given = (spec.activations ?? []).map(activationCode);
  const own = given.length > defaults.length && reverse ? given.slice(defaults.length) : given;
  const activations = defaults.map((otherwise, k) => own[k] ?? otherwise);
  const [gate, candidate = gate, output = gate] = activations as [ActivationCode];
  // Only the tables of the cells that have them let the options of an LSTM through.
  const { cellClip = Infinity, projClip = Infinity, projSize, layerNorm } = spec;
  const { clip: preactClip = Infinity, zoneout = 0, recurrentDropout = 0 } = spec;
  const isBounded = Math.min(preactClip, cellClip) < Infinity;
  const keepsSums =
    preactClip < Infinity || ![gate, candidate].every(({ kind }) => FROM_OUTPUT.includes(kind));
  const options: CellOptions = {
    gate,
    candidate,
    output,
    preactClip,
    cellClip,
    projClip,
    zoneout,
    recurrentDropout,
    projected: projSize ?? 0,
    layerNorm: layerNorm === true,
    keepsSums,
  };
  const isUsual = activations.every((code, k) => same(code, defaults[k]!));
  const policy = isBounded ? codes.POLICY_CHOSEN : cell.policy(spec, options, isUsual);
  const isPlain = options.projected + zoneout + recurrentDropout === 0 && !layerNorm;
  return isPlain && policy !== codes.POLICY_CHOSEN ? { policy } : { policy, options };
}
