import { printable } from '../base/errors.ts';

/**
 * Charts as one SVG file: line charts and heat maps, one below the other. No scripts and no outside
 * fonts; the colours of paper and ink follow the reader's light or dark scheme. `experiments/`
 * draws with it, too.
 */

export interface Line {
  /** Lines of one name have one entry in the legend. */
  readonly name: string;
  readonly colour: string;
  /** Index of the pattern of its dashes: lines differ without colour. */
  readonly dash?: number;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Whether to mark the last point. */
  readonly ends?: boolean;
}

/** Lines over a logarithmic y, or a linear one. */
export interface Chart {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly lines: readonly Line[];
  /** Range of a logarithmic x; where absent, x is linear from 0. */
  readonly xRange?: readonly [low: number, high: number];
  /**
   * x counts columns back from the right end, of so many: those of a heat map below, so that time
   * goes to the right in both.
   */
  readonly back?: number;
  /** Range of y, in powers of ten; what lies outside is cut off. */
  readonly decades?: readonly [low: number, high: number];
  /** Range of a linear y instead. */
  readonly range?: readonly [low: number, high: number];
  /** Levels to compare with. */
  readonly levels?: readonly { readonly y: number; readonly name: string }[];
}

/** Rows of values side by side, in colours from `low` to `high`. */
export interface Band {
  readonly name: string;
  readonly low: number;
  readonly high: number;
  readonly rows: readonly (readonly number[])[];
  /** What the highest value means. */
  readonly means?: string;
}

/** Bands over the same columns. */
export interface HeatMap {
  readonly title: string;
  readonly x: string;
  /** A letter for each column. */
  readonly columns: readonly string[];
  readonly bands: readonly Band[];
}

/** Okabe & Ito's colours, which people see apart whatever their eyes. */
export const COLOURS: readonly string[] = [
  '#0072b2',
  '#d55e00',
  '#009e73',
  '#cc79a7',
  '#56b4e9',
  '#e69f00',
];

/** From low to high: steps of viridis, which grow evenly in lightness on any paper. */
const HEAT: readonly string[] =
  '#440154 #482475 #414487 #355f8d #2a788e #21918c #22a884 #44bf70 #7ad151 #bddf26 #fde725'.split(
    ' ',
  );

/** For values around 0: blue below, red above, and the middle light. */
const DIVERGING: readonly string[] =
  '#053061 #2166ac #4393c3 #92c5de #d1e5f0 #f7f7f7 #fddbc7 #f4a582 #d6604d #b2182b #67001f'.split(
    ' ',
  );

const DASHES = ['', '7 4', '2 3', '12 4 2 4', '14 5', '1 5', '7 3 2 3 2 3', '4 2'];

const WIDTH = 900;
const [LEFT, RIGHT, TOP] = [72, WIDTH - 130, 40];
/** About the widths of a letter, and of a line's sample with its gaps. */
const [LETTER, SAMPLE, LEGEND_ROW] = [6.6, 46, 20];
const LINES_HEIGHT = 360;
const [ROW_HEIGHT, BAND_GAP, FOOT, LEAST_BAND] = [3, 10, 48, 54];

const STYLE =
  '.paper{fill:#fff}text{fill:#24292f}.axis{stroke:#57606a}.grid{stroke:#d8dee4}.level{stroke:#8c959f}' +
  '@media(prefers-color-scheme:dark){.paper{fill:#0d1117}text{fill:#e6edf3}.axis{stroke:#8b949e}.grid{stroke:#30363d}}';

interface Panel {
  readonly height: number;
  readonly parts: readonly string[];
}

interface Scales {
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
}

/** Content of an element. What is not printable is what XML does not allow, and more. */
const escape = (content: string): string =>
  printable(content).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const round = (x: number): string => String(Math.round(x * 10) / 10);

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${round(x)}" y="${round(y)}" ${attributes}>${escape(content)}</text>`;
}

const heading = (title: string): string =>
  text(LEFT, 22, title, 'font-size="15" font-weight="bold"');

/** Steps of 1, 2 or 5 times a power of ten: at most seven up to `most`. */
function ticks(most: number): number[] {
  const power = 10 ** Math.floor(Math.log10(most / 5));
  const step = [1, 2, 5, 10].map((k) => k * power).find((s) => most / s <= 7)!;
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, k) => k * step);
}

function powers(low: number, high: number): number[] {
  const first = Math.ceil(Math.log10(low));
  const count = Math.floor(Math.log10(high)) - first + 1;
  return Array.from({ length: count }, (_, k) => 10 ** (first + k));
}

/** Levels of y with their labels. */
function marksOf({ decades, range }: Chart): { value: number; label: string }[] {
  if (range) {
    const [low, high] = range;
    return [0, 1, 2, 3, 4].map((k) => {
      const value = low + (k * (high - low)) / 4;
      return { value, label: String(value) };
    });
  }
  const [low, high] = decades!;
  const every = Math.ceil((high - low) / 8);
  const count = Math.floor((high - low) / every) + 1;
  return Array.from({ length: count }, (_, k) => {
    const power = low + k * every;
    return { value: 10 ** power, label: `10<tspan dy="-5" font-size="9">${power}</tspan>` };
  });
}

function axes(chart: Chart, most: number, bottom: number, scales: Scales): string[] {
  const parts: string[] = [];
  for (const { value, label } of marksOf(chart)) {
    const y = round(scales.y(value));
    parts.push(
      `<path d="M${LEFT} ${y}H${RIGHT}" class="grid"/>`,
      `<text x="${LEFT - 8}" y="${y}" text-anchor="end" dominant-baseline="middle">${label}</text>`,
    );
  }
  for (const value of chart.xRange ? powers(...chart.xRange) : ticks(most)) {
    const x = scales.x(value);
    parts.push(
      `<path d="M${round(x)} ${bottom}v5" class="axis"/>`,
      text(x, bottom + 18, value.toLocaleString('en'), 'text-anchor="middle"'),
    );
  }
  const middle = (TOP + bottom) / 2;
  parts.push(
    `<path d="M${LEFT} ${TOP}V${bottom}H${RIGHT}" fill="none" class="axis"/>`,
    text((LEFT + RIGHT) / 2, bottom + 38, chart.x, 'text-anchor="middle"'),
    text(0, 0, chart.y, `text-anchor="middle" transform="translate(18 ${middle}) rotate(-90)"`),
  );
  return parts;
}

function curve({ colour, dash, points, ends }: Line, scales: Scales): string {
  // Zero has no place on a logarithmic axis.
  const seen = points.filter(([, y]) => Number.isFinite(scales.y(y)));
  if (seen.length === 0) return '';
  const path = seen.map(([x, y]) => `${round(scales.x(x))} ${round(scales.y(y))}`).join('L');
  const [x, y] = seen.at(-1)!;
  const end = ends
    ? `<circle cx="${round(scales.x(x))}" cy="${round(scales.y(y))}" r="4" fill="${colour}"/>`
    : '';
  return `<path d="M${path}" fill="none" stroke="${colour}" stroke-width="1.6" stroke-linejoin="round"${dashes(dash)}/>${end}`;
}

/** The pattern of a line, as an attribute. */
const dashes = (dash = 0): string =>
  dash ? ` stroke-dasharray="${DASHES[dash % DASHES.length]}"` : '';

/** Names of the lines in rows below the chart, as wide as they are. */
function legend(lines: readonly Line[], top: number): Panel {
  const named = [...new Map(lines.map((line) => [line.name, line])).values()];
  let [x, y] = [LEFT, top];
  const parts = named.flatMap(({ name, colour, dash }) => {
    const width = SAMPLE + name.length * LETTER;
    if (x > LEFT && x + width > WIDTH) [x, y] = [LEFT, y + LEGEND_ROW];
    const own = [
      `<path d="M${round(x)} ${y}h28" stroke="${colour}" stroke-width="2.5"${dashes(dash)}/>`,
      text(x + 34, y, name, 'dominant-baseline="middle"'),
    ];
    x += width + 10;
    return own;
  });
  return { height: y + LEGEND_ROW, parts };
}

function linePanel(chart: Chart): Panel {
  const bottom = LINES_HEIGHT - FOOT;
  const [low, high] = chart.range ?? chart.decades!;
  const ends = chart.lines.flatMap(({ points }) => points.map(([x]) => x));
  const most = ends.reduce((high, x) => Math.max(high, x), 1);
  const [from, to] = chart.xRange ?? [0, most];
  const share = (x: number): number => {
    if (chart.back) return 1 - (x + 0.5) / chart.back;
    return chart.xRange ? Math.log(x / from) / Math.log(to / from) : x / most;
  };
  const height = (y: number): number => ((chart.range ? y : Math.log10(y)) - low) / (high - low);
  const scales: Scales = {
    x: (value) => LEFT + share(value) * (RIGHT - LEFT),
    y: (value) => bottom - height(value) * (bottom - TOP),
  };
  const levels = (chart.levels ?? []).flatMap(({ y, name }) => [
    `<path d="M${LEFT} ${round(scales.y(y))}H${RIGHT}" class="level" stroke-dasharray="2 3"/>`,
    text(RIGHT + 4, scales.y(y), name, 'dominant-baseline="middle"'),
  ]);
  const names = legend(chart.lines, LINES_HEIGHT + 4);
  const parts = [
    heading(chart.title),
    ...axes(chart, most, bottom, scales),
    ...levels,
    '<g clip-path="url(#plot)">',
    ...chart.lines.map((line) => curve(line, scales)),
    '</g>',
    ...names.parts,
  ];
  return { height: names.height + 10, parts };
}

const coloursOf = ({ low }: Band): readonly string[] => (low < 0 ? DIVERGING : HEAT);

/** The cells of each colour as one path of horizontal runs, in units of rows and columns. */
function cells(band: Band): string[] {
  const { low, high, rows } = band;
  const colours = coloursOf(band);
  const paths = colours.map(() => '');
  const level = (value: number): number => {
    const share = (value - low) / (high - low);
    return Math.round(Math.min(Math.max(share, 0), 1) * (colours.length - 1));
  };
  rows.forEach((values, y) => {
    for (let x = 0, end: number; x < values.length; x = end) {
      const colour = level(values[x]!);
      for (end = x + 1; end < values.length && level(values[end]!) === colour; end++);
      paths[colour] += `M${x} ${y}h${end - x}`;
    }
  });
  return paths.flatMap((d, k) => (d ? [`<path d="${d}" stroke="${colours[k]}"/>`] : []));
}

/** What the colours of a band mean. */
function scale(band: Band, y: number): string[] {
  const { low, high, means } = band;
  const colours = coloursOf(band);
  const [x, width] = [RIGHT + 20, 8];
  const steps = colours.map((colour, k) => {
    return `<rect x="${x + width * k}" y="${round(y - 6)}" width="${width}" height="12" fill="${colour}"/>`;
  });
  const end = x + width * colours.length;
  const sign = (value: number): string => String(Number(value.toPrecision(2))).replace('-', '−');
  const under = 'text-anchor="middle" font-size="10"';
  return [
    ...steps,
    text(x, y + 18, sign(low), under),
    text(end, y + 18, sign(high), under),
    ...(means ? [text(x, y + 32, means, 'font-size="10"')] : []),
  ];
}

function heatPanel({ title, x, columns, bands }: HeatMap): Panel {
  const columnWidth = (RIGHT - LEFT) / columns.length;
  const parts = [heading(title)];
  let y = TOP;
  for (const band of bands) {
    // A band of few rows leaves room for what its colours mean.
    const height = Math.max(ROW_HEIGHT * band.rows.length, LEAST_BAND);
    const middle = y + height / 2;
    parts.push(
      text(LEFT - 8, middle, band.name, 'text-anchor="end" dominant-baseline="middle"'),
      // Strokes as thick as a row: their middle is half a row lower.
      `<g transform="translate(${LEFT} ${y + ROW_HEIGHT / 2}) scale(${columnWidth} ${ROW_HEIGHT})" shape-rendering="crispEdges">`,
      ...cells(band),
      '</g>',
      ...scale(band, middle),
    );
    y += height + BAND_GAP;
  }
  const letter = `text-anchor="middle" font-family="monospace" font-size="${round(Math.min(columnWidth * 1.5, 12))}"`;
  columns.forEach((column, k) => {
    if (column.trim()) parts.push(text(LEFT + (k + 0.5) * columnWidth, y + 6, column, letter));
  });
  parts.push(text((LEFT + RIGHT) / 2, y + 28, x, 'text-anchor="middle"'));
  return { height: y + FOOT, parts };
}

/** Charts below one another, as a whole SVG file. */
export function drawPage(charts: readonly (Chart | HeatMap)[]): string {
  const panels = charts.map((chart) => ('bands' in chart ? heatPanel(chart) : linePanel(chart)));
  const height = panels.reduce((sum, panel) => sum + panel.height, 0);
  let y = 0;
  const placed = panels.flatMap((panel) => {
    const group = [`<g transform="translate(0 ${y})">`, ...panel.parts, '</g>'];
    y += panel.height;
    return group;
  });
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="12">`,
    `<style>${STYLE}</style>`,
    `<rect width="${WIDTH}" height="${height}" class="paper"/>`,
    `<clipPath id="plot"><rect x="${LEFT}" y="${TOP - 5}" width="${RIGHT - LEFT + 6}" height="${LINES_HEIGHT - FOOT - TOP + 5}"/></clipPath>`,
    ...placed,
    '</svg>',
  ].join('\n')}\n`;
}

/** One chart as a whole SVG file. */
export function drawChart(chart: Chart): string {
  return drawPage([chart]);
}
