"""The values of golden_values in tests.rs: masked convolutions and LSTM scans in PyTorch, in double
precision, written as the papers have them. Run it with PyTorch, without arguments.
"""

import torch
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)


def wave(count, seed):
    """sin(0.7 i + seed), as tests.rs has it."""
    return torch.sin(0.7 * torch.arange(count) + seed)


def leaf(shape, seed, factor=1.0):
    return (wave(torch.Size(shape).numel(), seed) * factor).reshape(shape).requires_grad_()


def show(name, y, leaves):
    """Σ y·cos(0.3 i), and for each leaf Σ gradient·cos(0.3 i)."""
    weigh = lambda t: (t.flatten() * torch.cos(0.3 * torch.arange(t.numel()))).sum()
    value = weigh(y)
    value.backward()
    numbers = [value, *(weigh(leaf.grad) for leaf in leaves)]
    print(name, ", ".join(f"{number.item():.12f}" for number in numbers))


def masked():
    n, h, w, c, k = 2, 4, 5, 3, 4
    x, bias = leaf([n, h, w, c], 1), leaf([1, k], 3)
    # Mask B of 3×3: the row above, then the pixel to the left and itself.
    weight = leaf([5 * c, k], 2, 0.3)
    full = torch.zeros(9, c, k)
    full = torch.cat([weight.reshape(5, c, k), full[5:]]).reshape(3, 3, c, k)
    y = F.conv2d(x.permute(0, 3, 1, 2), full.permute(3, 2, 0, 1), padding=1)
    show("masked", torch.tanh(y.permute(0, 2, 3, 1) + bias), [x, weight, bias])


def scan(name):
    n, h, w, hidden = 2, 4, 5, 3
    taps = 3 if name == "rows" else 2
    gates = leaf([n, h, w, 4 * hidden], 1)
    weight = leaf([taps * hidden, 4 * hidden], 2, 0.5)
    start_hidden, start_cell = leaf([hidden], 3), leaf([hidden], 4)

    def cell(sums, c):
        o, f, i, g = sums.chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c

    outside = start_hidden.expand(n, hidden), start_cell.expand(n, hidden)
    states = {}
    at = lambda y, x: states.get((y, x), outside)
    columns = range(w) if name != "right" else reversed(range(w))
    columns = list(columns)
    for y in range(h):
        for x in columns:
            if name == "rows":
                seen, carry = [(y - 1, x - 1), (y - 1, x), (y - 1, x + 1)], (y - 1, x)
            else:
                beside = (y, x - 1) if name == "left" else (y, x + 1)
                seen, carry = [beside, (y - 1, x)], beside
            sums = gates[:, y, x] + torch.cat([at(*place)[0] for place in seen], 1) @ weight
            states[y, x] = cell(sums, at(*carry)[1])
    y = torch.stack([torch.stack([states[y, x][0] for x in range(w)], 1) for y in range(h)], 1)
    show(name, y, [gates, weight, start_hidden, start_cell])


masked()
scan("rows")
scan("left")
scan("right")
