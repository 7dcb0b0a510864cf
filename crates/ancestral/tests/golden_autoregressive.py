"""Prints the values that golden_autoregressive.rs compares with, by PyTorch 2.15 in double precision.

    python golden_autoregressive.py

Weights are 0.9 sin(1.3 k + 0.7 i), rounded to single precision: i counts a tensor's entries row after
row and k its model's tensors in the order they are made here.
"""

import torch
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)


class Weights:
    def __init__(self):
        self.k = 0

    def __call__(self, *shape):
        n = torch.Size(shape).numel()
        w = 0.9 * torch.sin(1.3 * self.k + 0.7 * torch.arange(n))
        self.k += 1
        return w.float().double().reshape(shape)


def show(name, values):
    print(f"{name}: {[float(f'{v:.9g}') for v in values.flatten().tolist()]}")


def nade_outputs(x, w, c, v, b, rho=None):
    """Outputs [batch, D, K]; v [D, K, H], b [D, K]."""
    outputs = []
    for d in range(x.shape[1]):
        a = c + x[:, :d] @ w[:d]
        h = torch.sigmoid(a if rho is None else rho[d] * a)
        outputs.append(h @ v[d].T + b[d])
    return torch.stack(outputs, 1)


def bernoulli(x, logits):
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)


BINARY = torch.tensor([[0, 1, 1, 0, 1], [1, 1, 0, 1, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1.0]])


def nade():
    weights = Weights()
    w, c, v, b = [t.requires_grad_() for t in (weights(5, 4), weights(4), weights(5, 4), weights(5))]
    log_p = bernoulli(BINARY, nade_outputs(BINARY, w, c, v[:, None], b[:, None]).squeeze(2))
    (-log_p.mean()).backward()
    show("NADE", log_p)
    for name, t in zip(("weight", "bias", "output_weight", "output_bias"), (w, c, v, b)):
        show(f"NADE {name}", t.grad)


def made():
    """Two hidden layers, degrees spread evenly, direct connections."""
    weights = Weights()
    size, hidden = 5, [7, 6]
    entries = torch.arange(size)
    degrees = [1 + torch.arange(n) * (size - 1) // n for n in hidden]
    # In [input, output] form: a unit of degree m is connected to the first m entries.
    layers = []
    sees = [entries[:, None] < degrees[0], degrees[0][:, None] <= degrees[1]]
    for mask in sees:
        w, b = weights(*mask.shape), weights(mask.shape[1])
        layers.append((w * mask, b))
    h = BINARY
    for w, b in layers:
        h = F.relu(h @ w + b)
    w, b = weights(hidden[1], size), weights(size)
    logits = h @ (w * (degrees[1][:, None] <= entries)) + b
    w, b = weights(size, size), weights(size)
    logits = logits + BINARY @ (w * (entries[:, None] < entries)) + b
    show("MADE", bernoulli(BINARY, logits))


REAL = torch.tensor([[0.3, -1.2, 2.0], [0.0, 0.0, 0.0], [4.0, 3.5, -2.5]])


def rnade(family):
    weights = Weights()
    w, c, v, b = weights(3, 4), weights(4), weights(18, 4), weights(18)
    rho, mean, std = 1 + 0.3 * weights(3), weights(3), 1.5 + 0.5 * weights(3)
    rho, std = rho.float().double(), std.float().double()
    x = (REAL.float().double() - mean) / std
    outputs = nade_outputs(x, w, c, v.reshape(3, 6, 4), b.reshape(3, 6), rho)
    logits, centre, log_scale = outputs.reshape(-1, 3, 3, 2).unbind(2)
    component = family(centre, log_scale.exp()).log_prob(x[:, :, None])
    log_p = (F.log_softmax(logits, 2) + component).logsumexp(2).sum(1)
    show(f"RNADE {family.__name__}", log_p - std.log().sum())


nade()
made()
rnade(torch.distributions.Normal)
rnade(torch.distributions.Laplace)
