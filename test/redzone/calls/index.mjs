/** Every public function: how to draw a call of it, valid or not. */

import './engine.mjs';
import './model.mjs';
import './stream.mjs';
import './trainer.mjs';
import './files.mjs';
import './kernels.mjs';
import './data.mjs';
import './threads.mjs';

export { callKinds } from './call.mjs';
