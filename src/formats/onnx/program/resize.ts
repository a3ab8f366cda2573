/** Resize and Upsample: the nearest elements, or lines between two, axis by axis. */
import { numbersAt, realsAt } from '../call.ts';
import type { Call } from '../call.ts';
import type { Machine, ProgramOperator } from './machine.ts';
import { pickedBy } from './pick.ts';
import { sizeOf, turned } from './tensor.ts';
import type { Tensor } from './tensor.ts';

/** Where an element of `wide` is among the `size` that there were. */
function placeOf(mode: string, x: number, size: number, wide: number, scale: number): number {
  switch (mode) {
    case 'asymmetric':
      return x / scale;
    case 'align_corners':
      return wide === 1 ? 0 : (x * (size - 1)) / (wide - 1);
    case 'pytorch_half_pixel':
      return wide > 1 ? (x + 0.5) / scale - 0.5 : 0;
    case 'half_pixel_symmetric': {
      const adjust = wide / (scale * size);
      return (size / 2) * (1 - adjust) + (x + 0.5) / scale - 0.5;
    }
    default:
      return (x + 0.5) / scale - 0.5;
  }
}

const NEAREST: Readonly<Record<string, (x: number) => number>> = {
  floor: Math.floor,
  ceil: Math.ceil,
  round_prefer_ceil: (x) => Math.floor(x + 0.5),
  round_prefer_floor: (x) => Math.ceil(x - 0.5),
};

/** Lines between two elements each, as a product by a matrix. */
function lines(
  x: Tensor,
  axis: number,
  places: readonly number[],
  call: Call,
  machine: Machine,
): Tensor {
  const { node, graph } = call;
  const size = x.dims[axis]!;
  const wide = places.length;
  graph.take(size * wide);
  const data = new Float32Array(size * wide);
  for (const [row, place] of places.entries()) {
    const held = Math.min(Math.max(place, 0), size - 1);
    const low = Math.floor(held);
    data[row * size + low]! += 1 - (held - low);
    if (low + 1 < size) data[row * size + low + 1]! += held - low;
  }
  const b = machine.table([wide, size], data, true);
  const rest = x.dims.map((_, k) => k).filter((k) => k !== axis);
  const order = [...rest, axis];
  const a = machine.plain(turned(x, order), node);
  const dims = [...rest.map((k) => x.dims[k]!), wide];
  const to = machine.make(dims, node);
  const rows = sizeOf(dims) / wide;
  machine.add({
    op: 'matrix',
    to,
    a,
    b,
    axes: [[1, 0, 0, 0]],
    matrix: {
      rows,
      depth: size,
      columns: wide,
      aRow: size,
      aColumn: 1,
      toRow: wide,
    },
  });
  return turned(
    to,
    x.dims.map((_, k) => order.indexOf(k)),
  );
}

export const resize: ProgramOperator = (call, machine) => {
  const { node } = call;
  const x = machine.tensorAt(call, 0);
  const rank = x.dims.length;
  const isOld = node.type === 'Upsample' || node.opset < 11;
  const [scalesAt, sizesAt] = [isOld ? 1 : 2, 3];
  const given = node.ints('axes')?.map((axis) => node.axis(axis, rank));
  const full = (list: readonly number[], otherwise: readonly number[]): readonly number[] =>
    given ? otherwise.map((own, k) => (given.includes(k) ? list[given.indexOf(k)]! : own)) : list;
  const told = realsAt(call, scalesAt, 'scales') ?? node.get('scales')?.floats;
  const ones = x.dims.map(() => 1);
  const wanted = told?.length ? undefined : numbersAt(call, sizesAt, 'sizes');
  if (!told?.length && !wanted?.length) node.refuse('it has no scales');
  if (wanted && node.text('keep_aspect_ratio_policy', 'stretch') !== 'stretch') {
    node.refuse('its keep_aspect_ratio_policy is not supported');
  }
  const scales = wanted ? full(wanted, x.dims).map((n, k) => n / x.dims[k]!) : full(told!, ones);
  const sizes = wanted ? full(wanted, x.dims) : x.dims.map((n, k) => Math.floor(n * scales[k]!));
  if (sizes.length !== rank || sizes.some((n) => !(n >= 1))) node.refuse('its scales do not fit');
  const mode = node.text('mode', 'nearest');
  const coordinates = node.text(
    'coordinate_transformation_mode',
    isOld ? 'asymmetric' : 'half_pixel',
  );
  const nearest = NEAREST[node.text('nearest_mode', isOld ? 'floor' : 'round_prefer_floor')];
  if (mode !== 'nearest' && mode !== 'linear') node.refuse(`its mode "${mode}" is not supported`);
  if (coordinates.startsWith('tf_') || node.int('antialias', 0) || !nearest) {
    node.refuse('its way of choosing elements is not supported');
  }
  const made = x.dims.reduce((own, size, axis) => {
    const [wide, scale] = [sizes[axis]!, scales[axis]!];
    if (wide === size && scale === 1) return own;
    call.graph.take(wide);
    const places = Array.from({ length: wide }, (_, k) =>
      placeOf(coordinates, k, size, wide, scale),
    );
    if (mode === 'linear') return lines(own, axis, places, call, machine);
    const list = places.map((place) => Math.min(Math.max(nearest(place), 0), size - 1));
    return pickedBy(own, axis, list, call, machine);
  }, x);
  return [{ tensor: made }];
};
