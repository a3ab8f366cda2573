// A stroke is the way of a pen; the model reads it as steps of equal length.

/** Coordinates x, y, x, y and so on. */
export type Stroke = readonly number[];

/** Steps of a stroke that the model reads, each of FEATURES numbers. */
export const STEPS = 32;
export const FEATURES = 2;

/** Points at equal distances along a stroke. */
function resample(stroke: Stroke, count: number): number[] {
  const points = Array.from({ length: stroke.length / 2 }, (_, k) => k);
  const way = [0];
  for (const k of points.slice(1)) {
    const [dx, dy] = [0, 1].map((axis) => stroke[2 * k + axis]! - stroke[2 * k - 2 + axis]!);
    way.push(way[k - 1]! + Math.hypot(dx!, dy!));
  }
  const length = way.at(-1)!;
  const result: number[] = [];
  for (let n = 0, k = 0; n < count; n++) {
    const wanted = (length * n) / (count - 1);
    while (k < way.length - 2 && way[k + 1]! < wanted) k++;
    const share = (wanted - way[k]!) / (way[k + 1]! - way[k]! || 1);
    for (const axis of [0, 1]) {
      const [from, to] = [stroke[2 * k + axis]!, stroke[2 * k + 2 + axis]!];
      result.push(from + share * (to - from));
    }
  }
  return result;
}

/** The differences from point to point, of a stroke whose way is as long as every other's. */
export function featuresOf(stroke: Stroke): Float32Array {
  const points = resample(stroke, STEPS + 1);
  const steps = points.slice(2).map((value, k) => value - points[k]!);
  const size = Math.hypot(...steps) / Math.sqrt(STEPS) || 1;
  return Float32Array.from(steps, (value) => value / size);
}

/** The same gesture as another hand might draw it: turned a little, wider or taller, shaky. */
export function varied(stroke: Stroke, random: () => number): Stroke {
  const around = (spread: number): number => spread * (2 * random() - 1);
  const [angle, width, height] = [around(0.25), 1 + around(0.25), 1 + around(0.25)];
  const shake = 0.01 * Math.max(...stroke);
  const result: number[] = [];
  for (let k = 0; k < stroke.length; k += 2) {
    const [x, y] = [width * stroke[k]!, height * stroke[k + 1]!];
    result.push(
      x * Math.cos(angle) - y * Math.sin(angle) + around(shake),
      x * Math.sin(angle) + y * Math.cos(angle) + around(shake),
    );
  }
  return result;
}

/** A gesture of each name, for those who do not want to draw. */
export const EXAMPLES: Readonly<Record<string, Stroke>> = {
  circle: Array.from({ length: 41 }, (_, k) => (k * Math.PI) / 20).flatMap((angle) => [
    400 + 150 * Math.sin(angle),
    200 - 150 * Math.cos(angle),
  ]),
  zigzag: [200, 100, 330, 300, 400, 100, 470, 300, 600, 100],
  tick: [280, 220, 370, 320, 560, 80],
};
