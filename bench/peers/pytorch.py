"""Runs one model after another for pytorch.mjs: a line of JSON in, a line of JSON out."""

import base64
import json
import statistics
import sys
import time

import torch

torch.set_num_threads(1)

LAYERS = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}


def tensor(text, shape):
    return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.float32).reshape(shape)


class Inference:
    """Whole sequences from a zero state, or steps that keep theirs."""

    def __init__(self, model, case):
        self.model = model
        self.x = tensor(case["x"], [case["steps"], case["batch"], -1])
        self.keeps = case["keepsState"]
        self.state = None
        self.output = None

    def run(self):
        with torch.inference_mode():
            self.output, state = self.model(self.x, self.state)
            if self.keeps:
                self.state = state


class Training:
    """Forward, backpropagation through all steps, clipping by global norm, Adam."""

    def __init__(self, model, case):
        hyper = case["training"]
        self.model = model
        self.x = tensor(case["x"], [case["steps"], case["batch"], -1])
        self.target = tensor(case["target"], [case["steps"], case["batch"], -1])
        self.clip = hyper["clipNorm"]
        self.optimizer = torch.optim.Adam(
            model.parameters(), lr=hyper["learningRate"], betas=hyper["betas"], eps=hyper["eps"]
        )
        self.output = None

    def run(self):
        self.optimizer.zero_grad()
        output, _ = self.model(self.x)
        loss = torch.nn.functional.mse_loss(output, self.target)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        self.optimizer.step()
        self.output = loss.detach().reshape(1)


def prepare(case):
    layer = case["layer"]
    model = LAYERS[layer["type"]](
        layer["inputSize"],
        layer["hiddenSize"],
        num_layers=layer.get("numLayers", 1),
        bidirectional=layer.get("bidirectional", False),
    )
    parameters = {name: tensor(data, shape) for name, shape, data in case["parameters"]}
    model.load_state_dict(parameters)
    return (Training if case["kind"] == "training" else Inference)(model, case)


def time_round(run, milliseconds):
    """Median time of a call in milliseconds."""
    times = []
    end = time.perf_counter() + milliseconds / 1e3
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


task = None
for line in sys.stdin:
    request = json.loads(line)
    answer = {}
    if "prepare" in request:
        task = prepare(request["prepare"])
    elif "time" in request:
        answer["ms"] = time_round(task.run, request["time"])
    else:
        task.run()
        answer["output"] = base64.b64encode(task.output.numpy().tobytes()).decode()
    print(json.dumps(answer), flush=True)
