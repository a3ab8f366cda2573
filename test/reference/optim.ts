/**
 * Optimizers and gradient clipping as PyTorch's documentation gives them. g is the gradient, p the parameter, u the number
 * of the update from 1; with `weightDecay` wd all but AdamW begin with g += wd p.
 *
 *     sgd      buf = g (u = 1), mu buf + (1 - dampening) g (later);  p -= lr (nesterov ? g + mu buf : buf)
 *     rmsprop  v = alpha v + (1 - alpha) g^2;  p -= lr g / (sqrt(v) + eps)
 *     adagrad  v = v + g^2;  p -= lr g / (sqrt(v) + eps)
 *     adam     m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;
 *              p -= lr (m / (1 - b1^u)) / (sqrt(v / (1 - b2^u)) + eps)
 *     adamw    p *= 1 - lr wd, then adam without the decay of g
 *     clip     n = norm of all gradients as one vector;  g *= min(1, max / (n + 1e-6))
 */
import { norm, type Vec } from './math.ts';

export type Optimizer =
  | {
      readonly type: 'sgd';
      readonly lr: number;
      readonly momentum?: number;
      readonly dampening?: number;
      readonly nesterov?: boolean;
      readonly weightDecay?: number;
    }
  | {
      readonly type: 'rmsprop';
      readonly lr: number;
      readonly alpha?: number;
      readonly eps?: number;
      readonly weightDecay?: number;
    }
  | { readonly type: 'adagrad'; readonly lr: number; readonly eps?: number }
  | {
      readonly type: 'adam' | 'adamw';
      readonly lr: number;
      readonly betas?: readonly [number, number];
      readonly eps?: number;
      readonly weightDecay?: number;
    };

/** Changes p in place; `u` counts updates from 1. */
type Rule = (p: Vec, g: Vec, u: number, moments: readonly [Vec, Vec]) => void;

function sgd(o: Extract<Optimizer, { type: 'sgd' }>): Rule {
  const { lr, momentum = 0, dampening = 0, nesterov = false, weightDecay = 0 } = o;
  return (p, g, u, [buf]) => {
    for (let k = 0; k < p.length; k++) {
      const slope = g[k]! + weightDecay * p[k]!;
      buf[k] = u === 1 ? slope : momentum * buf[k]! + (1 - dampening) * slope;
      p[k]! -= lr * (momentum === 0 ? slope : nesterov ? slope + momentum * buf[k]! : buf[k]!);
    }
  };
}

function rmsprop(o: Extract<Optimizer, { type: 'rmsprop' }>): Rule {
  const { lr, alpha = 0.99, eps = 1e-8, weightDecay = 0 } = o;
  return (p, g, _, [v]) => {
    for (let k = 0; k < p.length; k++) {
      const slope = g[k]! + weightDecay * p[k]!;
      v[k] = alpha * v[k]! + (1 - alpha) * slope * slope;
      p[k]! -= (lr * slope) / (Math.sqrt(v[k]!) + eps);
    }
  };
}

function adagrad({ lr, eps = 1e-10 }: Extract<Optimizer, { type: 'adagrad' }>): Rule {
  return (p, g, _, [v]) => {
    for (let k = 0; k < p.length; k++) {
      v[k]! += g[k]! * g[k]!;
      p[k]! -= (lr * g[k]!) / (Math.sqrt(v[k]!) + eps);
    }
  };
}

function adam(o: Extract<Optimizer, { type: 'adam' | 'adamw' }>): Rule {
  const decoupled = o.type === 'adamw';
  const { lr, betas = [0.9, 0.999], eps = 1e-8, weightDecay = decoupled ? 0.01 : 0 } = o;
  const [b1, b2] = betas;
  return (p, g, u, [m, v]) => {
    for (let k = 0; k < p.length; k++) {
      if (decoupled) p[k]! *= 1 - lr * weightDecay;
      const slope = decoupled ? g[k]! : g[k]! + weightDecay * p[k]!;
      m[k] = b1 * m[k]! + (1 - b1) * slope;
      v[k] = b2 * v[k]! + (1 - b2) * slope * slope;
      const corrected = Math.sqrt(v[k]! / (1 - b2 ** u)) + eps;
      p[k]! -= (lr * (m[k]! / (1 - b1 ** u))) / corrected;
    }
  };
}

function ruleOf(options: Optimizer): Rule {
  if (options.type === 'sgd') return sgd(options);
  if (options.type === 'rmsprop') return rmsprop(options);
  return options.type === 'adagrad' ? adagrad(options) : adam(options);
}

/** An optimizer over a fixed list of parameters; every call is one update. */
export function createOptimizer(
  parameters: readonly Vec[],
  options: Optimizer,
): (gradients: readonly Vec[]) => void {
  const rule = ruleOf(options);
  const moments = parameters.map(
    (p) => [new Float64Array(p.length), new Float64Array(p.length)] as const,
  );
  let updates = 0;
  return (gradients) => {
    updates++;
    parameters.forEach((p, k) => rule(p, gradients[k]!, updates, moments[k]!));
  };
}

/** Scales the gradients in place; returns their norm before. */
export function clipGradients(gradients: readonly Vec[], maxNorm: number): number {
  const total = norm(gradients.map(norm));
  const scale = Math.min(1, maxNorm / (total + 1e-6));
  for (const g of gradients) for (let k = 0; k < g.length; k++) g[k]! *= scale;
  return total;
}
