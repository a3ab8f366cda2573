"""Writes pytorch.safetensors: what PyTorch itself computes for small recurrent networks, and for three steps of training them.

    python3 test/golden/make_pytorch.py      (Debian: python3-torch; written with PyTorch 1.13.0)

A case is `<layer>-<layers>`; its tensors are
    param.<name>           the module's state_dict           grad.<name>    their gradients
    x [T,B,I]  h0 c0       input, initial states [L,B,H]     grad.x ...     their gradients
    output [T,B,H]  h c    result, final states              w.output w.h w.c  the loss: the sum of w * result over all three
    <optimizer>.norms      gradient norm before clipping, of each step
    <optimizer>.<name>     parameters after the steps
The loss of the training steps is the mean squared error between the output and `target`, states starting from zero.

The case `text` is an embedding, an LSTM and a linear layer on tokens `x`, trained on the cross-entropy with the tokens `target`:
    losses                 loss of each step                 adam.*         as above
"""

import json
import struct
from pathlib import Path

import torch
from torch import nn

T, B, I, H = 7, 3, 5, 6
TOKENS = 9
STEPS = 3
CLIP = 0.05
LAYERS = {
    "tanh": lambda n: nn.RNN(I, H, n, nonlinearity="tanh"),
    "relu": lambda n: nn.RNN(I, H, n, nonlinearity="relu"),
    "lstm": lambda n: nn.LSTM(I, H, n),
    "gru": lambda n: nn.GRU(I, H, n),
}
OPTIMIZERS = {
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01),
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
}


def save_safetensors(path, tensors, metadata):
    header, offset = {"__metadata__": metadata}, 0
    for name, tensor in tensors.items():
        size = 4 * tensor.numel()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors.values():
            file.write(tensor.detach().contiguous().numpy().astype("<f4").tobytes())


def uniform(*shape):
    return torch.rand(*shape) * 2 - 1


def run_once(module, layers, case, tensors):
    x = uniform(T, B, I).requires_grad_()
    states = [uniform(layers, B, H).requires_grad_() for _ in range(2 if isinstance(module, nn.LSTM) else 1)]
    output, final = module(x, tuple(states) if len(states) == 2 else states[0])
    final = final if isinstance(final, tuple) else (final,)
    results = {"output": output, **dict(zip("hc", final))}
    weights = {name: uniform(*result.shape) for name, result in results.items()}
    sum((weights[name] * result).sum() for name, result in results.items()).backward()
    inputs = {"x": x, **dict(zip(("h0", "c0"), states))}
    for name, tensor in {**inputs, **results}.items():
        tensors[f"{case}.{name}"] = tensor
    for name, tensor in weights.items():
        tensors[f"{case}.w.{name}"] = tensor
    for name, tensor in inputs.items():
        tensors[f"{case}.grad.{name}"] = tensor.grad
    for name, parameter in module.named_parameters():
        tensors[f"{case}.param.{name}"] = parameter.clone()
        tensors[f"{case}.grad.{name}"] = parameter.grad
    return x.detach()


def train(make, start, x, target, case, tensors):
    for optimizer, create in OPTIMIZERS.items():
        module = make()
        module.load_state_dict(start)
        stepper = create(module.parameters())
        norms = []
        for _ in range(STEPS):
            stepper.zero_grad()
            nn.functional.mse_loss(module(x)[0], target).backward()
            norms.append(nn.utils.clip_grad_norm_(module.parameters(), CLIP))
            stepper.step()
        tensors[f"{case}.{optimizer}.norms"] = torch.stack(norms)
        for name, parameter in module.named_parameters():
            tensors[f"{case}.{optimizer}.{name}"] = parameter


class Text(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, I)
        self.lstm = nn.LSTM(I, H)
        self.linear = nn.Linear(H, TOKENS)

    def forward(self, x):
        return self.linear(self.lstm(self.embedding(x))[0])


def train_text(tensors):
    module = Text()
    x, target = (torch.randint(TOKENS, (T, B)) for _ in range(2))
    for name, parameter in module.named_parameters():
        tensors[f"text.param.{name}"] = parameter.clone()
    stepper = OPTIMIZERS["adam"](module.parameters())
    losses, norms = [], []
    for _ in range(STEPS):
        stepper.zero_grad()
        loss = nn.functional.cross_entropy(module(x).flatten(0, 1), target.flatten())
        loss.backward()
        losses.append(loss)
        norms.append(nn.utils.clip_grad_norm_(module.parameters(), CLIP))
        stepper.step()
    tensors.update({"text.x": x, "text.target": target, "text.losses": torch.stack(losses)})
    tensors["text.adam.norms"] = torch.stack(norms)
    for name, parameter in module.named_parameters():
        tensors[f"text.adam.{name}"] = parameter


def main():
    torch.manual_seed(20221028)
    torch.set_num_threads(1)
    tensors = {}
    for name, create in LAYERS.items():
        for layers in (1, 2):
            case = f"{name}-{layers}"
            module = create(layers)
            start = {key: value.clone() for key, value in module.state_dict().items()}
            x = run_once(module, layers, case, tensors)
            target = uniform(T, B, H)
            tensors[f"{case}.target"] = target
            train(lambda: create(layers), start, x, target, case, tensors)
    train_text(tensors)
    metadata = {"torch": torch.__version__, "clip": str(CLIP), "steps": str(STEPS)}
    save_safetensors(Path(__file__).with_name("pytorch.safetensors"), tensors, metadata)


if __name__ == "__main__":
    main()
