/** Results as bytes. */

import type { Model } from '../../model/model.ts';
import { printFrame } from './archive.ts';
import type { Result } from './result.ts';

export const FORMATS = ['ndjson', 'csv', 'npy', 'npz'] as const;
export type Format = (typeof FORMATS)[number];
/** Formats of all outputs of a model. */
export const OF_ALL: readonly Format[] = ['ndjson', 'npz'];
/** Formats that only a file can have. */
export const OF_FILES: readonly Format[] = ['npy', 'npz'];

/** A float32 in as few digits as tell it from its neighbours; nine do for any. */
function shown(value: number): string {
  return String(Number.isInteger(value) ? value : Number(value.toPrecision(9)));
}

const json = (value: number): string => (Number.isFinite(value) ? shown(value) : 'null');

function listOf(values: Float32Array, width: number, isPooled: boolean): string {
  if (isPooled) return `[${Array.from(values, json).join()}]`;
  const rows: string[] = [];
  for (let at = 0; at < values.length; at += width) {
    rows.push(listOf(values.subarray(at, at + width), width, true));
  }
  return `[${rows.join()}]`;
}

/** A cell of a table, of an id as JSON. */
function cellOf(id: string): string {
  const own = id.startsWith('"') ? (JSON.parse(id) as string) : id;
  return /[",\r\n]/.test(own) ? `"${own.replaceAll('"', '""')}"` : own;
}

/** The first line of a table. */
export function headerOf({ outputs: [output] }: Model, hasIds: boolean): string {
  const columns = Array.from({ length: output!.size }, (_, k) => `y${k}`);
  return `${[...(hasIds ? ['id'] : []), ...(output!.pooled ? [] : ['step']), ...columns].join()}\n`;
}

type Print = (results: readonly Result[], model: Model, hasIds: boolean) => Uint8Array<ArrayBuffer>;

const text = new TextEncoder();

export const printers: Readonly<Record<Format, Print>> = {
  ndjson(results, { outputs }) {
    const lines = results.map(({ id, outputs: own }) => {
      const fields = outputs.map(({ name, size, pooled }, k) => {
        const key = outputs.length === 1 ? 'y' : name;
        return `${JSON.stringify(key)}:${listOf(own[k]!, size, pooled)}`;
      });
      return `{${[...(id === undefined ? [] : [`"id":${id}`]), ...fields].join()}}\n`;
    });
    return text.encode(lines.join(''));
  },
  csv(results, { outputs: [output] }, hasIds) {
    const { size, pooled } = output!;
    const lines = results.flatMap(({ id, outputs: [own] }) => {
      const start = hasIds ? [cellOf(id ?? '')] : [];
      return Array.from({ length: own!.length / size }, (_, step) => {
        const values = Array.from(own!.subarray(step * size, (step + 1) * size), shown);
        return `${[...start, ...(pooled ? [] : [step]), ...values].join()}\n`;
      });
    });
    return text.encode(lines.join(''));
  },
  npy(results) {
    const total = results.reduce((sum, { outputs: [own] }) => sum + own!.length, 0);
    const all = new Float32Array(total);
    let at = 0;
    for (const { outputs } of results) {
      all.set(outputs[0]!, at);
      at += outputs[0]!.length;
    }
    return new Uint8Array(all.buffer);
  },
  npz: printFrame,
};
