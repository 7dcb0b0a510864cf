"""Prints the golden values of golden_convolution.rs. Needs PyTorch.

The k-th tensor's i-th entry is 0.9·sin(1.3·k + 0.7·i), rounded to float32; then everything is done
in float64. The loss is the sum of the outputs, each multiplied by such an entry of its own.
"""

import math

import torch
from torch.nn import functional as F


def tensor(k, *shape):
    n = math.prod(shape)
    values = [0.9 * math.sin(1.3 * k + 0.7 * i) for i in range(n)]
    return torch.tensor(values, dtype=torch.float32).double().reshape(shape).requires_grad_()


def show(name, values):
    entries = ", ".join(f"{x:.9g}" if x else "0.0" for x in values.detach().flatten().tolist())
    print(f"const {name}: [f64; {values.numel()}] = [{entries}];")


def case(name, function, *inputs):
    y = function(*inputs)
    (y * tensor(9, *y.shape).detach()).sum().backward()
    show(name, y)
    for part, x in zip(["X", "WEIGHT", "BIAS"], inputs):
        show(f"{name}_{part}", x.grad)


case(
    "CONV",
    lambda x, w, b: F.conv2d(x, w, b, stride=(2, 1), padding=(1, 0)),
    tensor(1, 2, 2, 4, 3),
    tensor(2, 3, 2, 3, 2),
    tensor(3, 3),
)
case(
    "TRANSPOSED",
    lambda x, w, b: F.conv_transpose2d(
        x, w, b, stride=(2, 3), padding=(1, 0), output_padding=(1, 2)
    ),
    tensor(1, 1, 2, 2, 2),
    tensor(2, 2, 1, 3, 2),
    tensor(3, 1),
)
mean, var = torch.zeros(2).double(), torch.zeros(2).double()
case(
    "NORM",
    lambda x, g, b: F.leaky_relu(
        F.batch_norm(x, mean, var, g, b, training=True, momentum=1.0, eps=1e-5), 0.2
    ),
    tensor(1, 3, 2, 2, 1),
    tensor(2, 2),
    tensor(3, 2),
)
# PyTorch keeps the unbiased variance, of six values here.
show("NORM_MEAN", mean)
show("NORM_VARIANCE", var * 5 / 6)
case("LEAKY", lambda x: F.leaky_relu(x, 0.2), tensor(1, 6))
