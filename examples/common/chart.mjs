// Lines over steps, as SVG.
const [LEFT, RIGHT, TOP, BOTTOM] = [44, 8, 8, 24];

/** A round step that cuts a range in at most `count` or so: 1, 2 or 5 with zeros. */
function roundStep(range, count) {
  const least = range / count || 1;
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].find((factor) => factor * power >= least) * power;
}

/**
 * @param {SVGElement} svg
 * @param {{ name: string, start: number, values: number[] }[]} lines Each from a step on, in the
 *   look of the class of its name.
 * @param {(step: number) => string} labelOf What a step is called.
 */
export function draw(svg, lines, labelOf = String) {
  const { width, height } = svg.getBoundingClientRect();
  const all = lines.flatMap(({ values }) => values);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const step = roundStep(high - low, 4);
  const bottom = Math.floor(low / step);
  const top = Math.max(Math.ceil(high / step), bottom + 1);
  const first = Math.min(...lines.map(({ start }) => start));
  const end = Math.max(...lines.map(({ start, values }) => start + values.length - 1));
  const x = (t) => LEFT + ((t - first) / (end - first || 1)) * (width - LEFT - RIGHT);
  const y = (k) => TOP + ((top - k) / (top - bottom)) * (height - TOP - BOTTOM);

  const parts = [];
  if (first <= 0) {
    parts.push(`<line x1="${x(0)}" x2="${x(0)}" y1="${TOP}" y2="${height - BOTTOM}" />`);
  }
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  for (let k = bottom; k <= top; k++) {
    parts.push(
      `<line x1="${LEFT}" x2="${width - RIGHT}" y1="${y(k)}" y2="${y(k)}" />`,
      `<text x="${LEFT - 6}" y="${y(k) + 4}" text-anchor="end">${(k * step).toFixed(digits)}</text>`,
    );
  }
  const every = Math.max(1, roundStep(end - first, width / 70));
  for (let t = Math.ceil(first / every) * every; t <= end; t += every) {
    const anchor = t === first ? 'start' : t === end ? 'end' : 'middle';
    parts.push(`<text x="${x(t)}" y="${height - 6}" text-anchor="${anchor}">${labelOf(t)}</text>`);
  }
  for (const { name, start, values } of lines) {
    const points = values.map((value, k) => `${x(start + k)} ${y(value / step)}`);
    parts.push(`<path class="${name}" d="M${points.join('L')}" />`);
  }
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  svg.innerHTML = parts.join('');
}
