/** What older versions of Keras called otherwise. */
import type { Version } from './activations.ts';
import { own, recordOf, textOf } from './config.ts';
import type { Json } from './config.ts';

/** Names that Keras 1 had for what is called otherwise since. */
const OLDER: ReadonlyMap<string, string> = new Map([
  ['inner_activation', 'recurrent_activation'],
  ['p', 'rate'],
  ['nb_filter', 'filters'],
  ['filter_length', 'kernel_size'],
  ['subsample_length', 'strides'],
  ['stride', 'strides'],
  ['border_mode', 'padding'],
  ['atrous_rate', 'dilation_rate'],
  ['pool_length', 'pool_size'],
  ['length', 'size'],
  ['dropout_W', 'dropout'],
  ['dropout_U', 'recurrent_dropout'],
]);
const OLDER_CLASSES: ReadonlyMap<string, string> = new Map([
  ['Convolution1D', 'Conv1D'],
  ['TimeDistributedDense', 'Dense'],
  ['SpatialDropout1d', 'SpatialDropout1D'],
  ['MaxPool1D', 'MaxPooling1D'],
  ['AvgPool1D', 'AveragePooling1D'],
  ['GlobalMaxPool1D', 'GlobalMaxPooling1D'],
  ['GlobalAvgPool1D', 'GlobalAveragePooling1D'],
  ['Convolution1DTranspose', 'Conv1DTranspose'],
  ['BatchNormalizationV1', 'BatchNormalization'],
  ['BatchNormalizationV2', 'BatchNormalization'],
]);

/** Layers of TensorFlow 1 that run on cuDNN alone, as the layers that Keras loads them into. */
const OF_CUDNN: ReadonlyMap<string, string> = new Map([
  ['CuDNNLSTM', 'LSTM'],
  ['CuDNNGRU', 'GRU'],
]);
const AS_CUDNN: Json = { activation: 'tanh', recurrent_activation: 'sigmoid', reset_after: true };

/** A layer of a configuration by the names of today. */
export interface Modern {
  readonly className: string;
  readonly config: Json;
  /** Its class as the file has it. */
  readonly written: string;
}

/** The class and the configuration of an entry. */
export function modern(entry: unknown, version: Version): Modern {
  const written = textOf(entry, 'class_name')?.split('>').at(-1) ?? 'no class';
  const className = OLDER_CLASSES.get(written) ?? OF_CUDNN.get(written) ?? written;
  const plain = own(entry, 'config');
  // Sequential had a list of layers in place of a configuration.
  const given = Array.isArray(plain) ? { layers: plain as unknown } : recordOf(entry, 'config');
  const config = version.major > 1 ? given : renamed(className, given);
  return {
    className,
    config: OF_CUDNN.has(written) ? { ...config, ...AS_CUDNN } : config,
    written,
  };
}

/** A configuration of Keras 1. */
function renamed(className: string, config: Json): Json {
  const entries = Object.entries(config).map(([key, value]) => [OLDER.get(key) ?? key, value]);
  const all = Object.assign(Object.create(null), Object.fromEntries(entries)) as Json;
  if (className === 'Embedding') return all;
  const units = own(all, 'output_dim');
  const bias = own(all, 'bias');
  return {
    ...all,
    ...(units !== undefined && { units }),
    ...(typeof bias === 'boolean' && { use_bias: bias }),
  };
}
