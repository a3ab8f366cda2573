/** Line charts as SVG, alone in a file: no scripts, no outside fonts, readable on light and dark pages. */

export interface Line {
  /** Lines of one name have one entry in the legend. */
  readonly name: string;
  readonly colour: string;
  readonly dashed?: boolean;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Whether to mark the last point. */
  readonly ends?: boolean;
}

export interface Chart {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly lines: readonly Line[];
  /** Range of y, in powers of ten; what lies outside is cut off. */
  readonly decades: readonly [low: number, high: number];
  /** Levels to compare with. */
  readonly levels?: readonly { readonly y: number; readonly name: string }[];
}

const [WIDTH, HEIGHT] = [760, 360];
const PLOT = { left: 72, right: WIDTH - 190, top: 40, bottom: HEIGHT - 48 };

const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const round = (x: number): string => String(Math.round(x * 10) / 10);

/** Steps of 1, 2 or 5 times a power of ten: at most seven up to `most`. */
function ticks(most: number): number[] {
  const power = 10 ** Math.floor(Math.log10(most / 5));
  const step = [1, 2, 5, 10].map((k) => k * power).find((s) => most / s <= 7)!;
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, k) => k * step);
}

interface Scales {
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
}

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${round(x)}" y="${round(y)}" ${attributes}>${escape(content)}</text>`;
}

function axes(chart: Chart, most: number, scales: Scales): string[] {
  const { left, right, top, bottom } = PLOT;
  const [low, high] = chart.decades;
  const every = Math.ceil((high - low) / 8);
  const parts: string[] = [];
  for (let k = low; k <= high; k += every) {
    const y = round(scales.y(10 ** k));
    parts.push(`<path d="M${left} ${y}H${right}" stroke="#ddd"/>`);
    parts.push(
      `<text x="${left - 8}" y="${y}" text-anchor="end" dominant-baseline="middle">10<tspan dy="-5" font-size="9">${k}</tspan></text>`,
    );
  }
  for (const value of ticks(most)) {
    const x = scales.x(value);
    parts.push(`<path d="M${round(x)} ${bottom}v5" stroke="#555"/>`);
    parts.push(text(x, bottom + 18, value.toLocaleString('en'), 'text-anchor="middle"'));
  }
  const middle = (top + bottom) / 2;
  parts.push(
    `<path d="M${left} ${top}V${bottom}H${right}" fill="none" stroke="#555"/>`,
    text((left + right) / 2, HEIGHT - 10, chart.x, 'text-anchor="middle"'),
    text(0, 0, chart.y, `text-anchor="middle" transform="translate(18 ${middle}) rotate(-90)"`),
    text(left, 22, chart.title, 'font-size="15" font-weight="bold"'),
  );
  return parts;
}

function curve({ colour, dashed, points, ends }: Line, scales: Scales): string {
  // Zero has no place on a logarithmic axis.
  const seen = points.filter(([, y]) => y > 0);
  if (seen.length === 0) return '';
  const path = seen.map(([x, y]) => `${round(scales.x(x))} ${round(scales.y(y))}`).join('L');
  const dash = dashed ? ' stroke-dasharray="6 4"' : '';
  const [x, y] = seen.at(-1)!;
  const end = ends
    ? `<circle cx="${round(scales.x(x))}" cy="${round(scales.y(y))}" r="4" fill="${colour}"/>`
    : '';
  return `<path d="M${path}" fill="none" stroke="${colour}" stroke-width="1.6" stroke-linejoin="round"${dash}/>${end}`;
}

function legend(lines: readonly Line[]): string[] {
  const named = [...new Map(lines.map((line) => [line.name, line])).values()];
  return named.flatMap(({ name, colour, dashed }, k) => {
    const [x, y] = [PLOT.right + 20, PLOT.top + 10 + 20 * k];
    const dash = dashed ? ' stroke-dasharray="6 4"' : '';
    return [
      `<path d="M${x} ${y}h22" stroke="${colour}" stroke-width="2.5"${dash}/>`,
      text(x + 28, y, name, 'dominant-baseline="middle"'),
    ];
  });
}

/** The chart as a whole SVG file; y is logarithmic. */
export function drawChart(chart: Chart): string {
  const { left, right, top, bottom } = PLOT;
  const [low, high] = chart.decades;
  const most = Math.max(1, ...chart.lines.flatMap(({ points }) => points.map(([x]) => x)));
  const scales: Scales = {
    x: (value) => left + (value / most) * (right - left),
    y: (value) => bottom - ((Math.log10(value) - low) / (high - low)) * (bottom - top),
  };
  const levels = (chart.levels ?? []).flatMap(({ y, name }) => [
    `<path d="M${left} ${round(scales.y(y))}H${right}" stroke="#888" stroke-dasharray="2 3"/>`,
    text(right + 4, scales.y(y), name, 'dominant-baseline="middle" fill="#666"'),
  ]);
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="system-ui, sans-serif" font-size="12" fill="#222">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<clipPath id="plot"><rect x="${left}" y="${top - 5}" width="${right - left + 6}" height="${bottom - top + 5}"/></clipPath>`,
    ...axes(chart, most, scales),
    ...levels,
    '<g clip-path="url(#plot)">',
    ...chart.lines.map((line) => curve(line, scales)),
    '</g>',
    ...legend(chart.lines),
    '</svg>',
  ].join('\n')}\n`;
}
