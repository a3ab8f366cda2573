/**
 * Jobs as they are in Redis. Whoever reaches Redis can write any: every field is checked here before
 * anything is done, and names nothing but stores, keys, hashes and numbers.
 */

import { parseAddress } from './address.ts';
import { checkHash, hashOfData } from './blobs.ts';
import { refuse, show } from './errors.ts';

/** Records of a shard. */
export type ShardInput =
  | {
      readonly type: 'ndjson';
      readonly at: string;
      /** Bytes of whole lines. */
      readonly from: number;
      readonly to: number;
      readonly sha256: string;
      readonly records: number;
    }
  | {
      /** Records that a module of the worker's own makes from their index. */
      readonly type: 'index';
      readonly source: string;
      readonly from: number;
      readonly to: number;
    };

export interface ScoreShard {
  readonly kind: 'score';
  readonly run: string;
  readonly shard: number;
  readonly model: string;
  readonly simd: Simd;
  readonly input: ShardInput;
  /** Fields of a line that is an object. */
  readonly fields: { readonly x: string; readonly id: string };
  readonly skipBad: boolean;
  readonly output: string;
}

export interface ScoreEnd {
  readonly kind: 'score-end';
  readonly run: string;
  readonly model: string;
  readonly simd: Simd;
  readonly shards: number;
  readonly records: number;
  /** Folder of the outputs and the index. */
  readonly output: string;
}

export interface TrainShard {
  readonly kind: 'train';
  readonly run: string;
  /** The blob of the configuration. */
  readonly config: string;
  readonly round: number;
  readonly shard: number;
  /** Blobs of the parameters, and of the shard's own state, absent in the first round. */
  readonly parameters: string;
  readonly state?: string;
}

export interface TrainEnd {
  readonly kind: 'train-end';
  readonly run: string;
  readonly config: string;
  readonly round: number;
  readonly parameters: string;
  /** The blob of the outer step's momentum, absent in the first round. */
  readonly velocity?: string;
  /** Folder of the checkpoints. */
  readonly output: string;
}

export type JobData = ScoreShard | ScoreEnd | TrainShard | TrainEnd;
export type Kind = JobData['kind'];
export type Simd = 'auto' | 'deterministic';

export const MAX_SHARDS = 50_000;
/** Bytes of a shard's input, and records of one. */
export const MAX_SHARD_BYTES = 64 * 2 ** 20;
export const MAX_SHARD_RECORDS = 2 ** 20;
const MAX_RUN = 64;

type Check = (what: string, value: unknown) => unknown;
type Fields = Readonly<Record<string, Check>>;

const count =
  (low: number, high = Number.MAX_SAFE_INTEGER): Check =>
  (what, value) =>
    Number.isSafeInteger(value) && (value as number) >= low && (value as number) <= high
      ? value
      : refuse(`"${what}" expected a whole number from ${low} to ${high}, got ${show(value)}`);

const text =
  (most: number, pattern = /^[^\p{Cc}]*$/u): Check =>
  (what, value) =>
    typeof value === 'string' && value.length <= most && pattern.test(value)
      ? value
      : refuse(`"${what}" expected a text of at most ${most} characters, got ${show(value)}`);

const oneOf =
  (...choices: readonly unknown[]): Check =>
  (what, value) =>
    choices.includes(value)
      ? value
      : refuse(`"${what}" expected ${choices.map(show).join(' or ')}, got ${show(value)}`);

const address: Check = (what, value) => {
  parseAddress(what, value);
  return value;
};

const optional =
  (check: Check): Check =>
  (what, value) =>
    value === undefined ? undefined : check(what, value);

/** An object of exactly these fields. */
const object =
  (fields: Fields): Check =>
  (what, value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return refuse(`"${what}" expected an object, got ${show(value)}`);
    }
    for (const key of Object.keys(value)) {
      if (!Object.hasOwn(fields, key)) refuse(`"${what}" has no field ${show(key)}`);
    }
    const copy: Record<string, unknown> = {};
    for (const [key, check] of Object.entries(fields)) {
      const own = Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
      const checked = check(`${what}.${key}`, own);
      if (checked !== undefined) copy[key] = checked;
    }
    return copy;
  };

/** One of some objects, which their field `by` tells apart. */
const variant =
  (by: string, kinds: Readonly<Record<string, Fields>>): Check =>
  (what, value) => {
    const own = (value as Record<string, unknown> | null | undefined)?.[by];
    oneOf(...Object.keys(kinds))(`${what}.${by}`, own);
    return object({ [by]: oneOf(own), ...kinds[own as string]! })(what, value);
  };

const run = text(MAX_RUN, /^[0-9a-z-]+$/);
const simd = oneOf('auto', 'deterministic');
const shard = count(0, MAX_SHARDS - 1);

const input = variant('type', {
  ndjson: {
    at: address,
    from: count(0),
    to: count(0),
    sha256: checkHash,
    records: count(0, MAX_SHARD_RECORDS),
  },
  index: { source: text(100, /^[A-Za-z][A-Za-z0-9_]*$/), from: count(0), to: count(0) },
});

const KINDS: Readonly<Record<Kind, Fields>> = {
  score: {
    run,
    shard,
    model: checkHash,
    simd,
    input,
    fields: object({ x: text(200), id: text(200) }),
    skipBad: oneOf(true, false),
    output: address,
  },
  'score-end': {
    run,
    model: checkHash,
    simd,
    shards: count(1, MAX_SHARDS),
    records: count(0),
    output: address,
  },
  train: {
    run,
    config: checkHash,
    round: count(0),
    shard,
    parameters: checkHash,
    state: optional(checkHash),
  },
  'train-end': {
    run,
    config: checkHash,
    round: count(0),
    parameters: checkHash,
    velocity: optional(checkHash),
    output: address,
  },
};

const job = variant('kind', KINDS);

/** The data of a job, or an error that names the field. */
export function checkJob(value: unknown): JobData {
  const data = job('job', value) as JobData;
  if (data.kind !== 'score') return data;
  const { from, to, type } = data.input;
  const most = type === 'ndjson' ? MAX_SHARD_BYTES : MAX_SHARD_RECORDS;
  if (to < from || to - from > most) refuse(`"job.input" expected at most ${most} from its start`);
  return data;
}

/** The name of a job: equal jobs are one. */
export function idOf(data: JobData): string {
  return hashOfData(data);
}

/** What a shard was scored to. */
export interface ScoredShard {
  readonly shard: number;
  readonly output: string;
  readonly records: number;
  readonly skipped: number;
  readonly bytes: number;
  readonly sha256: string;
  /** Bad records by their position in the shard, the first ones. */
  readonly bad: readonly { readonly record: number; readonly error: string }[];
}

/** What a shard was trained to. */
export interface TrainedShard {
  readonly shard: number;
  readonly loss: number;
  readonly parameters: string;
  readonly state: string;
  /** Of the parameters, and of the state. */
  readonly bytes: readonly [number, number];
}

const scored = object({
  shard,
  output: address,
  records: count(0),
  skipped: count(0),
  bytes: count(0),
  sha256: checkHash,
  bad: (what, value) => (Array.isArray(value) ? value : refuse(`"${what}" expected a list`)),
});

const trained = object({
  shard,
  loss: (what, value) =>
    typeof value === 'number' ? value : refuse(`"${what}" expected a number, got ${show(value)}`),
  parameters: checkHash,
  state: checkHash,
  bytes: (what, value) => (Array.isArray(value) ? value : refuse(`"${what}" expected a list`)),
});

/** The results of the children of a job, which are as foreign as jobs. */
export const checkScored = (value: unknown): ScoredShard => scored('result', value) as ScoredShard;
export const checkTrained = (value: unknown): TrainedShard =>
  trained('result', value) as TrainedShard;
