import { fromStateDict, keras, keras1, nam, onnx, tf1, toStateDict } from './shared/layouts.ts';

export type {
  CellParameters,
  CellPlace,
  GruLayout,
  Keras1Cell,
  KerasCell,
  NamCell,
  OnnxCell,
  OnnxLayout,
  Tf1Cell,
  Tf1LstmLayout,
} from './shared/layouts.ts';

/**
 * Arrays of a recurrent layer and direction, as frameworks keep them, to gatefold's parameters and
 * back. `toStateDict` names these for `model.loadStateDict`.
 */
export const layouts: {
  readonly keras: typeof keras;
  readonly keras1: typeof keras1;
  readonly onnx: typeof onnx;
  readonly tf1: typeof tf1;
  readonly nam: typeof nam;
  readonly toStateDict: typeof toStateDict;
  readonly fromStateDict: typeof fromStateDict;
} = { keras, keras1, onnx, tf1, nam, toStateDict, fromStateDict };
