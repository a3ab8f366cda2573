// Which digits were that? Sequences that differ in length, from features of sound to a class, or to
// a string of labels.
import { Engine } from 'gatefold';
import { readOptions } from '../common/terminal.mjs';
import { classify } from './classify.mjs';
import { split } from './corpus.mjs';
import { RATE } from './features.mjs';
import { loadRecordings, synthesise } from './recordings.mjs';
import { recogniseStrings } from './strings.mjs';

const USAGE = `
Recognises spoken digits, and says how well on unseen takes and on speakers never heard.

  node examples/spoken-digits/main.mjs
  node examples/spoken-digits/main.mjs --data free-spoken-digit-dataset/recordings
  node examples/spoken-digits/main.mjs --data free-spoken-digit-dataset/recordings --ctc

  --ctc         recognise strings of digits, joined recordings, instead of one digit each
  --data DIR    recordings like 0_george_0.wav (8 kHz); default: made-up voices
  --hold A,B    speakers for the test only; default the last two
  --voices N    how many are made up (6)
  --hidden N    units of the recurrent layer (64)
  --epochs N    passes over the training data (20)
  --copies N    altered copies of each recording (or string) to learn from (4)
  --strings N   strings to learn from, with --ctc (600)
  --batch N     sequences of an update (32)
  --rate N      learning rate (0.003)
  --seed N      of the weights, the order and the copies (1)
  --quick       a run of a few seconds
`;
const FULL = {
  ctc: false,
  data: '',
  hold: '',
  voices: 6,
  hidden: 64,
  epochs: 20,
  copies: 4,
  strings: 600,
  batch: 32,
  rate: 0.003,
  seed: 1,
};
const QUICK = { voices: 4, hidden: 32, epochs: 15, copies: 0, strings: 240, batch: 8, rate: 0.01 };
const TAKES = 10;
const options = readOptions(USAGE, FULL, QUICK);

const recordings = options.data
  ? loadRecordings(options.data)
  : synthesise({ speakers: options.voices, takes: TAKES, seed: options.seed });
const { held, ...parts } = split(recordings, options.hold);
const { training, unseen, strangers } = parts;
const seconds = recordings.reduce((sum, { samples }) => sum + samples.length, 0) / RATE;
console.log(
  `${recordings.length} recordings, ${seconds.toFixed(0)} s of sound: ${training.length} to learn from, ` +
    `${unseen.length} unseen takes of the same speakers, ${strangers.length} of new speakers (${held.join(', ')})\n`,
);
const recognise = options.ctc ? recogniseStrings : classify;
await recognise(await Engine.create(), parts, options);
