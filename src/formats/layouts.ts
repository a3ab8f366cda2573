import type { StateDict, Tensor } from '../base/tensor.ts';
import { fromStateDict, keras, keras1, nam, onnx, tf1, toStateDict } from './shared/layouts.ts';
import type {
  CellParameters,
  CellPlace,
  Keras1Layouts,
  KerasLayouts,
  NamLayouts,
  OnnxLayouts,
  Tf1Layouts,
} from './shared/layouts.ts';

export type {
  CellParameters,
  CellPlace,
  GruLayout,
  Keras1Cell,
  Keras1Layouts,
  KerasCell,
  KerasLayouts,
  NamCell,
  NamLayouts,
  OnnxCell,
  OnnxLayout,
  OnnxLayouts,
  Tf1Cell,
  Tf1Layouts,
  Tf1LstmLayout,
} from './shared/layouts.ts';

/**
 * Arrays of a recurrent layer and direction, as frameworks keep them, to gatefold's parameters and
 * back.
 */
export interface Layouts {
  /** Those of Keras 2 and 3. */
  readonly keras: KerasLayouts;
  /** Those of Keras 1: an array each gate. */
  readonly keras1: Keras1Layouts;
  /** Those of ONNX. */
  readonly onnx: OnnxLayouts;
  /** Those of TensorFlow 1's cells. */
  readonly tf1: Tf1Layouts;
  /** That of Neural Amp Modeler. */
  readonly nam: NamLayouts;
  /** Parameters by the names that a `stateDict()` of a model has for them. */
  toStateDict(layer: string, parameters: CellParameters, place?: CellPlace): StateDict;
  /** The parameters of a layer in a `stateDict()`. */
  fromStateDict(
    state: ReadonlyMap<string, Tensor>,
    layer: string,
    place?: CellPlace,
  ): CellParameters;
}

/** The layouts of recurrent layers in other frameworks, and the way back. */
export const layouts: Layouts = { keras, keras1, onnx, tf1, nam, toStateDict, fromStateDict };
