import { CELLS, CELL_TITLES } from './cells.ts';
import type { Cell } from './cells.ts';
import { COLOURS, drawChart } from '../src/cli/chart.ts';
import type { Line } from '../src/cli/chart.ts';
import type { Task } from './tasks/task.ts';
import type { FlowByLag, Result } from './train.ts';

const COLOUR_OF: Readonly<Record<Cell, string>> = {
  lstm: COLOURS[0]!,
  elman: COLOURS[1]!,
  gru: COLOURS[2]!,
  peephole: COLOURS[4]!,
};
/** Lines differ without colour, too. */
const dashOf = (cell: Cell): number => CELLS.indexOf(cell);
/** Gradients weaker than this share are off the picture. */
const WEAKEST = -12;

/** Loss of training against the sequences seen, a line for each run. */
export function drawLosses(task: Task, results: readonly Result[]): string {
  const lines = CELLS.flatMap((cell): Line[] =>
    results
      .filter((result) => result.cell === cell)
      .map(({ curve, solved, sequences, wrong }) => ({
        name: CELL_TITLES[cell],
        colour: COLOUR_OF[cell],
        dash: dashOf(cell),
        // The dot is what the criterion asks for, where that is an error of the same kind.
        points: solved && task.loss === 'mse' ? [...curve.slice(0, -1), [sequences, wrong]] : curve,
        ends: solved,
      })),
  );
  const losses = lines.flatMap(({ points }) => points.map(([, loss]) => loss));
  const low = Math.floor(Math.log10(Math.min(0.1, ...losses)));
  const high = Math.ceil(Math.log10(Math.max(1, ...losses)));
  const seen = lines.flatMap(({ points }) => points.map(([sequences]) => sequences));
  return drawChart({
    title: `${task.title}: a line for each run, a dot where it is solved`,
    x: 'sequences seen',
    y: task.loss === 'mse' ? 'mean squared error, at the dot on fresh sequences' : 'loss (nats)',
    lines,
    xRange: [Math.min(1000, ...seen), task.settings.cap],
    decades: [low, high],
    ...(task.loss === 'mse' && { levels: [{ y: task.test.below, name: 'criterion' }] }),
  });
}

/** Mean of the logarithm over runs at each distance, relative to the last step. */
function meanByLag(runs: readonly (readonly number[])[], steps: number): [number, number][] {
  return Array.from({ length: steps }, (_, lag) => {
    const logs = runs.map((norms) => Math.log(norms[lag]! / norms[0]!));
    return [lag, Math.exp(logs.reduce((sum, x) => sum + x, 0) / logs.length)];
  });
}

/**
 * Norms of dL/dh, and of LSTMs dL/dc, against the distance from the loss, over the steps that all
 * sequences have.
 */
export function drawFlow(
  results: readonly Result[],
  when: 'fresh' | 'trained',
  steps: number,
): string {
  const lines = CELLS.flatMap((cell): Line[] => {
    const flows = results.flatMap((result): FlowByLag[] =>
      result.cell === cell && result.flow ? [result.flow[when]] : [],
    );
    if (flows.length === 0) return [];
    const title = CELL_TITLES[cell];
    const colour = COLOUR_OF[cell];
    const ofH = {
      name: `${title}, h`,
      colour,
      dash: dashOf(cell),
      points: meanByLag(
        flows.map(({ h }) => h),
        steps,
      ),
    };
    const cells = flows.flatMap(({ c }) => (c ? [c] : []));
    if (cells.length === 0) return [ofH];
    return [
      ofH,
      {
        name: `${title}, c`,
        colour,
        dash: dashOf(cell) + CELLS.length,
        points: meanByLag(cells, steps),
      },
    ];
  });
  return drawChart({
    title: `Gradient against lag, ${when === 'fresh' ? 'before' : 'after'} training`,
    x: 'steps before the loss',
    y: 'norm, relative to the last step',
    lines,
    decades: [WEAKEST, 2],
  });
}
