/**
 * What the two packages of ONNX Runtime share: the same JavaScript interface over WebAssembly and
 * over native code.
 */
import { onnxModel } from '../../test/peers/onnx-layer.ts';
import { lacksKind } from '../cases.mjs';

export function createOnnxruntimePeer(ort, name, version, sessionOptions) {
  async function prepare(benchCase, { parameters, x }) {
    const { keepsState, layer, batch, steps, inputSize, hiddenSize } = benchCase;
    const model = onnxModel(layer, layer.type, parameters);
    const session = await ort.InferenceSession.create(model, sessionOptions);
    const directions = layer.bidirectional ? 2 : 1;
    const zero = () => {
      const shape = [directions, batch, hiddenSize];
      return new ort.Tensor('float32', new Float32Array(directions * batch * hiddenSize), shape);
    };
    const feeds = { x: new ort.Tensor('float32', x, [steps, batch, inputSize]) };
    for (let k = 0; k < (layer.numLayers ?? 1); k++) {
      feeds[`h0_l${k}`] = zero();
      if (layer.type === 'lstm') feeds[`c0_l${k}`] = zero();
    }
    let results;
    return {
      async run() {
        results = await session.run(feeds);
        if (!keepsState) return;
        feeds.h0_l0 = results.hn_l0;
        if (results.cn_l0) feeds.c0_l0 = results.cn_l0;
      },
      result: () => results.y.data,
      dispose: () => session.release(),
    };
  }
  const lacks = (benchCase) =>
    lacksKind(benchCase) ?? (benchCase.kind === 'training' ? 'no training' : undefined);
  return { name, version, lacks, prepare };
}
