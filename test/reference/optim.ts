/**
 * Optimizers and gradient clipping as the documentations of PyTorch and Keras give them. g is the
 * gradient, p the parameter, u the number of the update from 1, lr the rate of this update.
 * PyTorch: with `weightDecay` wd all but AdamW begin with g += wd p.
 *
 *     sgd      buf = g (u = 1), mu buf + (1 - dampening) g (later);  p -= lr (nesterov ? g + mu buf : buf)
 *     rmsprop  v = alpha v + (1 - alpha) g^2;  d = g / (sqrt(v) + eps);  buf = mu buf + d;  p -= lr buf
 *     adagrad  v = v + g^2;  p -= lr g / (sqrt(v) + eps)
 *     adam     m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;
 *              p -= lr (m / (1 - b1^u)) / (sqrt(v / (1 - b2^u)) + eps)
 *     adamw    p *= 1 - lr wd, then adam without the decay of g
 *     clip     n = norm of all gradients as one vector;  g *= min(1, max / (n + 1e-6))
 *
 * Keras: all begin with p -= lr wd p.
 *
 *     sgd      vel = mu vel - lr g;  p += nesterov ? mu vel - lr g : vel
 *     rmsprop  v = rho v + (1 - rho) g^2;  d = lr g / sqrt(v + eps);  mom = mu mom + d;  p -= mom
 *     adagrad  v = 0.1 at first;  v = v + g^2;  p -= lr g / sqrt(v + eps)
 *     adam     m, v as above;  p -= lr sqrt(1 - b2^u) / (1 - b1^u) m / (sqrt(v) + eps)
 */
import { norm, type Vec } from './math.ts';

export interface Optimizer {
  readonly type: 'sgd' | 'rmsprop' | 'adagrad' | 'adam' | 'adamw';
  readonly lr: number;
  readonly form?: 'pytorch' | 'keras';
  readonly momentum?: number;
  readonly dampening?: number;
  readonly nesterov?: boolean;
  readonly alpha?: number;
  readonly betas?: readonly [number, number];
  readonly eps?: number;
  readonly weightDecay?: number;
}

/** Where number k of a parameter goes at update u. */
type Rule = (p: number, g: number, k: number, u: number, lr: number) => number;

/** The rule of a parameter of n numbers. */
function pytorch(o: Optimizer, n: number): Rule {
  const { momentum = 0, dampening = 0, betas = [0.9, 0.999], alpha = 0.99 } = o;
  const { eps = o.type === 'adagrad' ? 1e-10 : 1e-8 } = o;
  const { weightDecay = o.type === 'adamw' ? 0.01 : 0 } = o;
  const [b1, b2] = betas;
  const [m, v] = [new Float64Array(n), new Float64Array(n)];
  return (p, gradient, k, u, lr) => {
    const g = o.type === 'adamw' ? gradient : gradient + weightDecay * p;
    if (o.type === 'sgd') {
      m[k] = u === 1 ? g : momentum * m[k]! + (1 - dampening) * g;
      return p - lr * (momentum === 0 ? g : o.nesterov ? g + momentum * m[k]! : m[k]!);
    }
    if (o.type === 'adagrad') {
      v[k]! += g * g;
      return p - (lr * g) / (Math.sqrt(v[k]!) + eps);
    }
    if (o.type === 'rmsprop') {
      v[k] = alpha * v[k]! + (1 - alpha) * g * g;
      m[k] = momentum * m[k]! + g / (Math.sqrt(v[k]!) + eps);
      return p - lr * m[k]!;
    }
    m[k] = b1 * m[k]! + (1 - b1) * g;
    v[k] = b2 * v[k]! + (1 - b2) * g * g;
    const from = o.type === 'adamw' ? p * (1 - lr * weightDecay) : p;
    return from - (lr * (m[k]! / (1 - b1 ** u))) / (Math.sqrt(v[k]! / (1 - b2 ** u)) + eps);
  };
}

function keras(o: Optimizer, n: number): Rule {
  const { momentum = 0, betas = [0.9, 0.999], alpha: rho = 0.9, eps = 1e-7 } = o;
  const { weightDecay = o.type === 'adamw' ? 0.004 : 0 } = o;
  const [b1, b2] = betas;
  const m = new Float64Array(n);
  const v = new Float64Array(n).fill(o.type === 'adagrad' ? 0.1 : 0);
  return (old, g, k, u, lr) => {
    const p = old - lr * weightDecay * old;
    if (o.type === 'sgd') {
      m[k] = momentum * m[k]! - lr * g;
      return p + (o.nesterov ? momentum * m[k]! - lr * g : m[k]!);
    }
    if (o.type === 'adagrad') {
      v[k]! += g * g;
      return p - (lr * g) / Math.sqrt(v[k]! + eps);
    }
    if (o.type === 'rmsprop') {
      v[k] = rho * v[k]! + (1 - rho) * g * g;
      m[k] = momentum * m[k]! + (lr * g) / Math.sqrt(v[k]! + eps);
      return p - m[k]!;
    }
    m[k] = b1 * m[k]! + (1 - b1) * g;
    v[k] = b2 * v[k]! + (1 - b2) * g * g;
    const rate = (lr * Math.sqrt(1 - b2 ** u)) / (1 - b1 ** u);
    return p - (rate * m[k]!) / (Math.sqrt(v[k]!) + eps);
  };
}

/**
 * An optimizer over a fixed list of parameters; every call is one update, at the rate of its
 * options or another.
 */
export function createOptimizer(
  parameters: readonly Vec[],
  options: Optimizer,
): (gradients: readonly Vec[], lr?: number) => void {
  const ruleOf = options.form === 'keras' ? keras : pytorch;
  const rules = parameters.map((p) => ruleOf(options, p.length));
  let updates = 0;
  return (gradients, lr = options.lr) => {
    updates++;
    parameters.forEach((p, n) => {
      for (let k = 0; k < p.length; k++) p[k] = rules[n]!(p[k]!, gradients[n]![k]!, k, updates, lr);
    });
  };
}

/** Scales the gradients in place; returns their norm before. */
export function clipGradients(gradients: readonly Vec[], maxNorm: number): number {
  const total = norm(gradients.map(norm));
  const scale = Math.min(1, maxNorm / (total + 1e-6));
  for (const g of gradients) for (let k = 0; k < g.length; k++) g[k]! *= scale;
  return total;
}
