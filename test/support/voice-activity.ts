/**
 * A voice-activity net of one frame a step: 576 samples, 64 of them of the frame before, which are
 * 32 ms at 16 kHz. Within the step a spectrum by convolution, its magnitudes, four convolutions;
 * the state of the LSTM is all that goes on to the next frame.
 */
import type { LayerSpec } from '../../src/ops/index.ts';

export const SAMPLES = 576;

/** What follows a spectrum of `width` features, up to one row a frame. */
export const encoder: readonly LayerSpec[] = [
  { type: 'conv1d', outChannels: 128, kernelSize: 3, padding: [1, 1], activation: 'relu' },
  {
    type: 'conv1d',
    outChannels: 64,
    kernelSize: 3,
    stride: 2,
    padding: [1, 1],
    activation: 'relu',
  },
  {
    type: 'conv1d',
    outChannels: 64,
    kernelSize: 3,
    stride: 2,
    padding: [1, 1],
    activation: 'relu',
  },
  { type: 'conv1d', outChannels: 128, kernelSize: 3, padding: [1, 1], activation: 'relu' },
  { type: 'flatten' },
];

/** The samples of a frame as 4 steps of 129 real and 129 imaginary parts. */
export const spectrum: readonly LayerSpec[] = [
  { type: 'unfold', steps: SAMPLES },
  {
    type: 'conv1d',
    name: 'spectrum',
    outChannels: 258,
    kernelSize: 256,
    stride: 128,
    padding: [0, 64],
    bias: false,
  },
];

export const magnitude: readonly LayerSpec[] = [
  { type: 'split', name: 'parts', sizes: [129, 129] },
  { type: 'activation', name: 'real', inputs: ['parts.0'], activation: 'pow' },
  { type: 'activation', name: 'imaginary', inputs: ['parts.1'], activation: 'pow' },
  { type: 'add', inputs: ['real', 'imaginary'] },
  { type: 'activation', name: 'magnitude', activation: 'sqrt' },
];

export const decision: readonly LayerSpec[] = [
  { type: 'lstm', hiddenSize: 128 },
  { type: 'activation', activation: 'relu' },
  { type: 'conv1d', outChannels: 1, kernelSize: 1, activation: 'sigmoid' },
  { type: 'reduceMean' },
];

export const voiceActivity: readonly LayerSpec[] = [
  ...spectrum,
  ...magnitude,
  ...encoder,
  ...decision,
];
