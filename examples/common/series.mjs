// A series: made up, or a column of a CSV file.
import { createRandom } from './random.mjs';

/**
 * What a power meter of an office says every hour: days and weeks, less on some days off, a drift,
 * and noise that lasts for hours.
 *
 * @returns {Float32Array} One number an hour.
 */
export function generateSeries({ weeks, seed }) {
  const random = createRandom(seed);
  const values = new Float32Array(weeks * 7 * 24);
  let weather = 0;
  let isDayOff = false;
  for (let hour = 0; hour < values.length; hour++) {
    const [clock, day] = [hour % 24, Math.floor(hour / 24) % 7];
    if (clock === 0) isDayOff = day >= 5 || random.uniform() < 0.04;
    weather = 0.98 * weather + 0.25 * random.normal();
    const work = Math.exp(-(((clock - 13) / 4.5) ** 4));
    const evening = Math.exp(-(((clock - 19) / 2) ** 2));
    const load = 20 + (isDayOff ? 5 : 30) * work + 8 * evening + 3 * weather;
    const drift = hour / 700 + 3 * Math.sin((2 * Math.PI * hour) / (24 * 365));
    values[hour] = load + drift + random.normal();
  }
  return values;
}

/**
 * A column of numbers by its headline or place; default the last. A single line is the series.
 *
 * @param {string} text Of a CSV file.
 * @param {string} column
 * @param {string} file Its name, for errors.
 */
export function readSeries(text, column = '', file = 'the series') {
  const lines = text.trim().split(/\r?\n/);
  const rows = lines.map((line) => line.split(/[,;\t]/));
  const cells = rows.length > 1 ? rows : rows[0].map((cell) => [cell]);
  const names = cells[0].map((name) => name.trim().replace(/^"|"$/g, ''));
  const named = column === '' ? names.length - 1 : names.indexOf(column);
  const place = named === -1 ? Number(column) - 1 : named;
  if (!(place in names)) {
    throw new Error(`--column: ${file} has no column ${column}; it has ${names.join(', ')}`);
  }
  const hasHeadline = Number.isNaN(Number(names[place]));
  const values = cells.slice(hasHeadline ? 1 : 0).map((row) => Number(row[place] || NaN));
  const wrong = values.findIndex((value) => !Number.isFinite(value));
  if (wrong !== -1) throw new Error(`${file}: value ${wrong + 1} of the column is no number`);
  return Float32Array.from(values);
}
