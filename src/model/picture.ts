/** Boxes and what they read as an SVG file: rows from top to bottom, skips beside the boxes. */

/** A box of a picture. */
export interface Box {
  /** The first one is its name. */
  readonly lines: readonly string[];
  /** Boxes before it that it reads. */
  readonly sources: readonly number[];
  readonly isInput: boolean;
  readonly isOutput: boolean;
}

/** What has a place in a row: a box, or an edge that passes the boxes of the row. */
interface Spot {
  readonly box: Box | undefined;
  readonly width: number;
  readonly above: Spot[];
  readonly below: Spot[];
  /** Its middle. */
  x: number;
}

const [HEIGHT, ROW, BETWEEN, MARGIN] = [58, 98, 24, 16];
const [LINE, LETTER] = [16, 7.3];
const SWEEPS = 16;
/** Boxes stand straight before edges do. */
const WEIGHT = 8;

const STYLE =
  '.gatefold{font:12px monospace;color:#24292f}.gatefold text{fill:currentColor;text-anchor:middle}' +
  '.gatefold rect{fill:#f6f8fa;stroke:#57606a}.gatefold .paper{fill:#fff;stroke:none}' +
  '.gatefold path{fill:none;stroke:#8c959f;stroke-width:1.5}.gatefold .end{stroke-width:3}' +
  '@media(prefers-color-scheme:dark){.gatefold{color:#e6edf3}' +
  '.gatefold rect{fill:#21262d;stroke:#8b949e}.gatefold .paper{fill:#0d1117}}';

/** An SVG file. Its style names nothing but what is inside, so that a page may hold it. */
export function drawBoxes(boxes: readonly Box[]): string {
  const rows = rowsOf(boxes);
  arrange(rows);
  const spots = rows.flat();
  const low = Math.min(...spots.map(({ x, width }) => x - width / 2)) - MARGIN;
  const high = Math.max(...spots.map(({ x, width }) => x + width / 2)) + MARGIN;
  const [width, height] = [Math.ceil(high - low), rows.length * ROW - (ROW - HEIGHT) + 2 * MARGIN];
  const parts: string[] = [];
  let edges = '';
  for (const [k, row] of rows.entries()) {
    const top = k * ROW + MARGIN;
    const bottom = top + HEIGHT;
    const next = top + ROW;
    const middle = (bottom + next) / 2;
    for (const { box, x: own, width: wide, below } of row) {
      const x = Math.round(own - low);
      if (box) parts.push(drawBox(box, x, top, wide));
      else edges += `M${x} ${top}v${HEIGHT}`;
      for (const { x: other, box: reader } of below) {
        const to = Math.round(other - low);
        edges += `M${x} ${bottom}C${x} ${middle} ${to} ${middle} ${to} ${next}`;
        if (reader) edges += `m-4-7l4 7l4-7`;
      }
    }
  }
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" class="gatefold" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    `<style>${STYLE}</style>`,
    `<rect class="paper" width="${width}" height="${height}"/>`,
    `<path d="${edges}"/>`,
    ...parts,
    '</svg>',
  ].join('\n')}\n`;
}

function drawBox({ lines, isInput, isOutput }: Box, x: number, top: number, width: number): string {
  const first = top + HEIGHT / 2 + 4 - ((lines.length - 1) * LINE) / 2;
  const texts = lines.map((line, k) => {
    const bold = k ? '' : ' font-weight="bold"';
    return `<text x="${x}" y="${first + k * LINE}"${bold}>${escape(line)}</text>`;
  });
  const look = `rx="${isInput ? HEIGHT / 2 : 4}"${isOutput ? ' class="end"' : ''}`;
  return `<rect x="${x - width / 2}" y="${top}" width="${width}" height="${HEIGHT}" ${look}/>${texts.join('')}`;
}

/** The boxes row by row, each below all that it reads; edges have a spot in every row they pass. */
function rowsOf(boxes: readonly Box[]): Spot[][] {
  const level: number[] = [];
  for (const { sources } of boxes) level.push(Math.max(-1, ...sources.map((k) => level[k]!)) + 1);
  // Inputs stand just above the first box that reads them.
  boxes.forEach(({ isInput }, k) => {
    if (!isInput) return;
    const readers = boxes.flatMap(({ sources }, own) => (sources.includes(k) ? level[own]! : []));
    level[k] = Math.min(...readers) - 1;
  });
  const rows: Spot[][] = Array.from({ length: Math.max(...level) + 1 }, () => []);
  const add = (k: number, box?: Box): Spot => {
    const letters = box?.lines.map((line) => line.replace(/[^ -~]/g, '**').length) ?? [];
    const width = box ? 2 * Math.ceil((Math.max(...letters) * LETTER + 20) / 2) : 0;
    const spot = { box, width, above: [], below: [], x: 0 };
    rows[k]!.push(spot);
    return spot;
  };
  /** Where the edges of each box are, from its own row on down. */
  const ways: Spot[][] = [];
  boxes.forEach((box, k) => {
    const spot = add(level[k]!, box);
    ways.push([spot]);
    for (const source of box.sources) {
      const way = ways[source]!;
      const passed = level[k]! - level[source]! - 1;
      while (way.length <= passed) {
        const next = add(level[source]! + way.length);
        join(way.at(-1)!, next);
        way.push(next);
      }
      join(way[passed]!, spot);
    }
  });
  return rows;
}

function join(above: Spot, below: Spot): void {
  above.below.push(below);
  below.above.push(above);
}

/** Orders every row by what its spots are joined to, above and below in turn, and places them. */
function arrange(rows: readonly Spot[][]): void {
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const isDown = sweep % 2 === 0;
    for (const row of isDown ? rows : [...rows].reverse()) {
      const wanted = new Map(row.map((spot) => [spot, middleOf(spot, isDown)]));
      row.sort((a, b) => wanted.get(a)! - wanted.get(b)!);
      place(row, wanted);
    }
  }
}

/** Where a spot stands straight above or below what it is joined to. */
function middleOf({ above, below, x }: Spot, isDown: boolean): number {
  let [sum, weight] = [0, 0];
  for (const { box, x: other } of isDown ? above : below) {
    sum += other * (box ? WEIGHT : 1);
    weight += box ? WEIGHT : 1;
  }
  return weight ? sum / weight : x;
}

/** As near to what is wanted as the widths allow: the mean where spots would overlap. */
function place(row: readonly Spot[], wanted: ReadonlyMap<Spot, number>): void {
  const groups: { from: number; sum: number; weight: number }[] = [];
  const offsets: number[] = [];
  row.forEach((spot, k) => {
    const before = row[k - 1];
    const apart = before ? (before.width + spot.width) / 2 + BETWEEN : 0;
    offsets.push((offsets[k - 1] ?? 0) + apart);
    const weight = spot.box ? WEIGHT : 1;
    let group = { from: k, sum: (wanted.get(spot)! - offsets[k]!) * weight, weight };
    for (let last; (last = groups.at(-1)) && last.sum / last.weight > group.sum / group.weight;) {
      group = { from: last.from, sum: last.sum + group.sum, weight: last.weight + group.weight };
      groups.pop();
    }
    groups.push(group);
  });
  groups.forEach(({ from, sum, weight }, g) => {
    const end = groups[g + 1]?.from ?? row.length;
    for (let k = from; k < end; k++) row[k]!.x = sum / weight + offsets[k]!;
  });
}

/** Content of an element; the lines hold nothing that XML forbids. */
function escape(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
