import { isBuffer, isOf } from '../../base/arrays.ts';
import { readOptions, show } from '../../base/check.ts';
import type { Engine } from '../../engine/engine.ts';
import { GatefoldError } from '../../base/errors.ts';
import { encodeUtf8 } from '../../base/utf8.ts';
import type { Model } from '../../model/model.ts';
import type { ModelDescription } from '../../ops/index.ts';
import { asBytes } from '../shared/bytes.ts';
import { build } from '../shared/imported.ts';
import type { ImportedModel } from '../shared/imported.ts';
import { isMap, parseJson } from '../shared/json.ts';
import { refuse, unsupported } from './chain.ts';
import type { AudioFile } from './chain.ts';
import { isNam, readNam } from './nam.ts';
import { isRtneural, readRtneural } from './rtneural.ts';
import { isGuitarml, isStateDict, readGuitarml, readStateDict } from './state-dict.ts';

/** A file's bytes, its text, or the object that `JSON.parse` made of it. */
export type AudioSource = Uint8Array | ArrayBuffer | string | object;

/** How `readAudio` reads. */
export interface AudioOptions {
  /**
   * The wiring of a file that has tensors alone (PyTorch's state dict as JSON). Recurrent modules
   * in a row, and one linear after them, need none.
   */
  readonly description?: ModelDescription;
}

function bytesOf(source: AudioSource): Uint8Array {
  if (typeof source === 'string') return encodeUtf8(source);
  if (isOf('Uint8Array', source) || isBuffer(source)) return asBytes(source);
  let text: string | undefined;
  try {
    text = typeof source === 'object' ? JSON.stringify(source) : undefined;
  } catch {
    // An object that contains itself.
  }
  if (text !== undefined) return encodeUtf8(text);
  const message = `"source" expected bytes, a text or the object of an audio file, got ${show(source)}`;
  throw new GatefoldError('ERR_ARGUMENT', message);
}

type Reader = (file: AudioFile, options: AudioOptions) => ImportedModel;

/** What tells each kind of file, the surest first. */
const KINDS: readonly (readonly [is: (file: AudioFile) => boolean, read: Reader])[] = [
  [isNam, readNam],
  [isRtneural, readRtneural],
  [isGuitarml, readGuitarml],
  [isStateDict, (file, { description }) => readStateDict(file, description)],
];

/** Kinds that are known and not read, by a key of theirs. */
const OTHERS: readonly (readonly [key: string, name: string])[] = [
  ['residual_channels', 'a WaveNet of PedalNetRT'],
  ['submodels', 'a container of NAM'],
  ['modelTopology', 'a layers model of TensorFlow.js'],
];

/**
 * The model of an audio plug-in's file: RTNeural and AIDA-X, GuitarML, NAM's LSTM. `metadata` has
 * its `sampleRate`, where the file says it, and the `latency` in samples.
 */
export function readAudio(source: AudioSource, options: AudioOptions = {}): ImportedModel {
  const given = readOptions('options', options, ['description']);
  const file = parseJson(bytesOf(source), 'an audio model');
  if (!isMap(file)) return refuse('it is no JSON object');
  const found = KINDS.find(([is]) => is(file));
  if (found) return found[1](file, given);
  const other = OTHERS.find(([key]) => file.has(key));
  if (other)
    return unsupported(`it is ${other[1]}; gatefold reads RTNeural, GuitarML and NAM LSTM`);
  return refuse('it is neither of RTNeural, nor of GuitarML, nor of NAM');
}

/** The same as a model of an engine. */
export function loadAudio(engine: Engine, source: AudioSource, options: AudioOptions = {}): Model {
  return build(engine, readAudio(source, options));
}
