/** `gatefold flow`: what it prints and draws is what the model says when it is asked directly. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSafetensors } from '../../src/formats/safetensors.ts';
import { halfLifeOf } from '../../src/cli/flow-charts.ts';
import { openModel } from '../../src/cli/run.ts';
import { Model, gradientFlow } from '../../src/hosts/default.ts';
import type { Vocabulary } from '../../src/hosts/default.ts';
import { TINY, runCommand } from '../support/command.ts';
import { createEngine } from '../support/engines.ts';
import { parseXml, type XmlElement } from '../support/xml.ts';

const STEPS = 30;
const engine = createEngine('baseline');
let folder: string;
let text: string;
let model: Model;
let vocabulary: Vocabulary;

function gatefold(...args: string[]): string {
  const { status, stdout, stderr } = runCommand(folder, ...args);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout;
}

function picture(name: string): XmlElement[] {
  return parseXml(readFileSync(join(folder, name), 'utf8'));
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatefold-flow-'));
  // A text that stays as it is.
  text = readFileSync(new URL('../../LICENSE', import.meta.url), 'utf8').repeat(10);
  writeFileSync(join(folder, 'text.txt'), text);
  gatefold('train', 'text.txt', ...TINY, '--layers', '2', '--epochs', '1', '--out', 'lstm');
  const path = join(folder, 'lstm');
  ({ model, vocabulary } = openModel(engine, path, readSafetensors(readFileSync(path))));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  engine.dispose();
});

/** Numbers of an SVG path of lines. */
function pointsOf({ attributes }: XmlElement): number[][] {
  const path = attributes.get('d')!;
  return path.split(/[ML]/).flatMap((pair) => (pair ? [pair.trim().split(' ').map(Number)] : []));
}

/** The curves of the first chart in units of its axes: [x, log10 y]. */
function curvesOf(elements: XmlElement[]): number[][][] {
  const heading = elements.findIndex(({ text: t }) => t.startsWith('Gates of'));
  const chart = elements.slice(0, heading);
  const number = (element: XmlElement, key: string): number => Number(element.attributes.get(key));
  const powers = chart.filter((e, k) => e.name === 'text' && chart[k + 1]?.name === 'tspan');
  const ticks = chart.filter(
    (e) => /^\d+$/.test(e.text) && e.name === 'text' && !powers.includes(e),
  );
  const line = (
    marks: XmlElement[],
    key: string,
    valueOf: (mark: XmlElement) => number,
  ): ((at: number) => number) => {
    const [a, b] = [marks[0]!, marks.at(-1)!];
    const [from, to] = [number(a, key), number(b, key)];
    return (at) => valueOf(a) + ((at - from) / (to - from)) * (valueOf(b) - valueOf(a));
  };
  const x = line(ticks, 'x', (mark) => Number(mark.text));
  const y = line(powers, 'y', (mark) => Number(mark.text.slice(2)));
  return chart
    .filter(({ attributes }) => attributes.get('stroke-linejoin') === 'round')
    .map((curve) => pointsOf(curve).map(([px, py]) => [x(px!), y(py!)]));
}

/** Gradient norms at each distance from the loss, by the batch of a single window. */
function normsOf(window: string, layer: number, state: 'h' | 'c'): number[] {
  const tokens = vocabulary.encode(window);
  const target = new Int32Array(STEPS).fill(-1);
  target[STEPS - 1] = tokens[STEPS]!;
  const loss = { type: 'cross-entropy', ignoreIndex: -1 } as const;
  const x = tokens.subarray(0, STEPS);
  const { lstm } = gradientFlow(model, { x, target, loss, steps: STEPS });
  return [...lstm![state]!.subarray(layer * STEPS, (layer + 1) * STEPS)].reverse();
}

describe('gatefold flow', () => {
  it('draws the gradient of every layer, against the distance from the loss', () => {
    // Two windows exactly, with the character behind the second one.
    const [first, second] = [text.slice(0, STEPS + 1), text.slice(STEPS, 2 * STEPS + 1)];
    writeFileSync(join(folder, 'two.txt'), text.slice(0, 2 * STEPS + 1));
    const stdout = gatefold('flow', 'lstm', 'two.txt', '--steps', String(STEPS), '--out', 'a.svg');
    expect(stdout).toContain(`root mean square over 2 windows of ${STEPS} characters`);
    expect(stdout).toMatch(/^lstm 2, \|dL\/dc\|\n +1e-?\d+ ┤/m);
    expect(stdout).toContain('saved the pictures to a.svg\n');
    const curves = curvesOf(picture('a.svg'));
    expect(curves).toHaveLength(4);
    const lines = [0, 1].flatMap((layer) => [
      { layer, state: 'h' as const },
      { layer, state: 'c' as const },
    ]);
    lines.forEach(({ layer, state }, k) => {
      const [a, b] = [normsOf(first, layer, state), normsOf(second, layer, state)];
      expect(curves[k]).toHaveLength(STEPS);
      curves[k]!.forEach(([x, log], lag) => {
        expect(x!).toBeCloseTo(lag, 1);
        const expected = Math.sqrt((a[lag]! ** 2 + b[lag]! ** 2) / 2);
        // A tenth of a pixel, of at least 17 a decade.
        expect(Math.abs(log! - Math.log10(expected))).toBeLessThan(0.01);
      });
    });
  });

  it('draws and prints the gates of the last window', () => {
    writeFileSync(join(folder, 'one.txt'), text.slice(0, STEPS + 1));
    const stdout = gatefold('flow', 'lstm', 'one.txt', '--steps', String(STEPS), '--out', 'b.svg');
    const x = vocabulary.encode(text.slice(0, STEPS));
    const gates = Object.entries(model.gates(x, { steps: STEPS })['lstm']!);
    expect(gates.map(([name]) => name)).toEqual(['input', 'forget', 'cell', 'output']);
    const units = 12;
    const elements = picture('b.svg');
    const groups = elements.flatMap((element, k) =>
      element.attributes.has('shape-rendering') ? [k] : [],
    );
    expect(groups).toHaveLength(2 * gates.length);
    /** The colours that the scale beside a band names. */
    const scaleOf = (band: number): string[] =>
      elements.slice(groups[band], groups[band + 1]).flatMap(({ name, attributes }) => {
        return name === 'rect' ? [attributes.get('fill')!] : [];
      });
    const said = ['1: writes all', '1: keeps all', 'what is written', '1: shows all'];
    const texts = elements.map(({ text: own }) => own);
    for (const means of said) expect(texts.filter((own) => own === means)).toHaveLength(2);
    for (const layer of [0, 1]) {
      // The units that keep most are on top.
      const kept = Array.from({ length: units }, (_, unit) => {
        const own = Array.from(
          { length: STEPS },
          (__, t) => gates[1]![1][(layer * STEPS + t) * units + unit]!,
        );
        return { unit, sum: own.reduce((sum, value) => sum + value, 0) };
      });
      const order = kept.sort((a, b) => b.sum - a.sum).map(({ unit }) => unit);
      gates.forEach(([name, values], gate) => {
        const isSigned = name === 'cell';
        const colours = scaleOf(4 * layer + gate);
        expect(new Set(colours).size).toBe(11);
        expect(isSigned).toBe(colours[5] === '#f7f7f7');
        const drawn = new Map<string, number>();
        for (let k = groups[4 * layer + gate]! + 1; elements[k]!.attributes.has('stroke'); k++) {
          const { attributes } = elements[k]!;
          const level = colours.indexOf(attributes.get('stroke')!);
          for (const [, from, row, width] of attributes.get('d')!.matchAll(/M(\d+) (\d+)h(\d+)/g)) {
            for (let t = Number(from); t < Number(from) + Number(width); t++) {
              expect(drawn.has(`${row} ${t}`)).toBe(false);
              drawn.set(`${row} ${t}`, level);
            }
          }
        }
        expect(drawn.size).toBe(units * STEPS);
        let sum = 0;
        for (let t = 0; t < STEPS; t++) {
          for (let unit = 0; unit < units; unit++) {
            const value = values[(layer * STEPS + t) * units + unit]!;
            const share = isSigned ? (value + 1) / 2 : value;
            expect(drawn.get(`${order.indexOf(unit)} ${t}`)).toBe(
              Math.round(share * (colours.length - 1)),
            );
            sum += Math.abs(value);
          }
        }
        const shown = isSigned ? `|${name}|` : name;
        const printed = stdout.match(new RegExp(`^ +${shown.replaceAll('|', '\\|')} .+$`, 'gm'))!;
        const [, bars, mean] = /(\S+) ([\d.]+)$/.exec(printed[layer]!)!;
        expect(bars).toHaveLength(STEPS);
        expect(mean).toBe((sum / units / STEPS).toFixed(2));
      });
    }
  });

  it('reads several texts as one, and says the same again', () => {
    const stdout = gatefold('flow', 'lstm', 'text.txt');
    expect(stdout).toContain('root mean square over 32 windows of 100 characters');
    const drawn = readFileSync(join(folder, 'flow.svg'), 'utf8');
    writeFileSync(join(folder, 'head.txt'), text.slice(0, 1000));
    writeFileSync(join(folder, 'tail.txt'), text.slice(1000));
    expect(gatefold('flow', 'lstm', 'head.txt', 'tail.txt')).toBe(stdout);
    expect(readFileSync(join(folder, 'flow.svg'), 'utf8')).toBe(drawn);
  });

  it('puts models on one axis, trained and not, above their gates', () => {
    gatefold('train', 'text.txt', ...TINY, '--cell', 'rnn', '--epochs', '1', '--out', 'elman');
    const options = ['--steps', String(STEPS), '--untrained', '--out', 'c.svg'];
    const stdout = gatefold('flow', 'lstm', 'elman', 'text.txt', ...options);
    // Two layers of h and c, and one of h.
    const curves = curvesOf(picture('c.svg'));
    expect(curves).toHaveLength(2 * 4 + 2);
    expect(stdout).toMatch(/^lstm 1, rnn, \|dL\/dh\|$/m);
    for (const name of ['lstm, untrained', 'lstm', 'elman, untrained', 'elman']) {
      expect(stdout).toMatch(new RegExp(`^ +(?:──|[ox+]) ${name}: half-life [\\d.]+ char`, 'm'));
    }
    expect(stdout.match(/an Elman net, which has no gates to show/g)).toHaveLength(2);
    // What is untrained is the model that a training of no updates would leave.
    const fresh = Model.create(engine, model.description, { seed: 1 });
    const tokens = vocabulary.encode(text.slice(0, STEPS));
    const { input } = fresh.gates(tokens, { steps: STEPS })['lstm']!;
    writeFileSync(join(folder, 'one.txt'), text.slice(0, STEPS + 1));
    const alone = gatefold('flow', 'lstm', 'one.txt', ...options);
    const half = input!.subarray(0, input!.length / 2);
    const mean = half.reduce((sum, value) => sum + value, 0) / half.length;
    expect(/ input \S+ ([\d.]+)$/m.exec(alone)![1]).toBe(mean.toFixed(2));
    // Time goes to the right, to the loss, and every step is above its column of the gates.
    const elements = picture('c.svg');
    const curve = elements.find((e) => e.attributes.get('stroke-linejoin') === 'round')!;
    const map = elements.find((e) => e.attributes.has('shape-rendering'))!;
    const [, left, width] = /translate\((\d+) .*scale\(([\d.]+) /.exec(
      map.attributes.get('transform')!,
    )!;
    pointsOf(curve).forEach(([x], lag) => {
      const middle = Number(left) + (STEPS - 1 - lag + 0.5) * Number(width);
      expect(Math.abs(x! - middle)).toBeLessThan(0.1);
    });
  });

  it('says the half-life of a gradient', () => {
    const norms = Array.from({ length: 50 }, (_, lag) => 3 * 2 ** (-lag / 7));
    expect(halfLifeOf(norms)).toBeCloseTo(7, 9);
    expect(halfLifeOf([...norms, 0, 0])).toBeCloseTo(7, 9);
    expect(halfLifeOf([...norms].reverse())).toBeUndefined();
  });

  it.each(['rnn', 'gru', 'peephole-cell'])('looks at the cell %s', (cell) => {
    gatefold('train', 'text.txt', ...TINY, '--cell', cell, '--epochs', '1', '--out', cell);
    const stdout = gatefold('flow', cell, 'text.txt', '--out', `${cell}.svg`);
    expect(stdout.includes('|dL/dc|')).toBe(cell === 'peephole-cell');
    expect(picture(`${cell}.svg`).some(({ text: t }) => t.startsWith('Gates of '))).toBe(true);
  });

  it('draws characters that no file of XML may hold, and keeps the columns of a terminal', () => {
    writeFileSync(join(folder, 'odd.txt'), 'a<b & "c"\n\0\u0001\ud83d\ude00 日本 é]]>');
    const stdout = gatefold('flow', 'lstm', 'odd.txt', '--out', 'odd.svg');
    expect(stdout).toContain(`${' '.repeat(9)}a<b & "c"↵··· ·· é]]\n`);
    expect(stdout).toContain('one window of 20 characters');
    const letters = picture('odd.svg').filter(({ attributes }) => attributes.has('font-family'));
    expect(letters.map(({ text: t }) => t).join('')).toContain('a<b&"c"↵·····é]]');
  });

  it('refuses what it cannot read, and writes nothing', () => {
    writeFileSync(join(folder, 'short.txt'), 'ab');
    const short = runCommand(folder, 'flow', 'lstm', 'short.txt', '--out', 'no.svg');
    expect(short.stderr).toBe('gatefold: the text is too short: give at least 3 characters\n');
    expect(short.status).toBe(2);
    expect(() => readFileSync(join(folder, 'no.svg'))).toThrow(/ENOENT/);
  });
});
