"""Models that draw pixel after pixel in PyTorch, for peer.py.

Each function gives a round: a closure that does the work once. Where there are several ways to
write a model, FORMS names them; peer.py measures all and keeps the quickest.
"""

import torch
from torch import nn
from torch.nn import functional as F

SIDE, DENSITY, HIDDEN = 28, 0.13, 32
WIDTH = 2 * HIDDEN

FORMS = {
    "diagonal-bilstm-step": ["one direction after the other", "both directions in one product"],
    "pixel-cnn-step": ["contiguous", "channels last"],
}


class MaskedConv(nn.Conv2d):
    """A convolution that sees pixels before its own (A), or its own as well (B)."""

    def __init__(self, mask, inputs, outputs, kernel):
        super().__init__(inputs, outputs, kernel, padding=kernel // 2)
        seen = torch.ones(kernel, kernel)
        seen[kernel // 2, kernel // 2 + (mask == "B") :] = 0
        seen[kernel // 2 + 1 :] = 0
        self.register_buffer("seen", seen)

    def forward(self, x):
        return F.conv2d(x, self.weight * self.seen, self.bias, padding=self.padding)


class Head(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.ReLU(),
            nn.Conv2d(WIDTH, 32, 1),
            nn.ReLU(),
            nn.Conv2d(32, 32, 1),
            nn.ReLU(),
            nn.Conv2d(32, 1, 1),
        )


class Block(nn.Module):
    """A residual block of PixelCNN."""

    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(WIDTH, HIDDEN, 1)
        self.conv = MaskedConv("B", HIDDEN, HIDDEN, 3)
        self.up = nn.Conv2d(HIDDEN, WIDTH, 1)

    def forward(self, x):
        return x + self.up(F.relu(self.conv(F.relu(self.down(F.relu(x))))))


class PixelCnn(nn.Sequential):
    def __init__(self, layers=7):
        blocks = [Block() for _ in range(layers)]
        super().__init__(MaskedConv("A", 1, WIDTH, 7), *blocks, Head())


def cell(sums, c):
    o, f, i, g = sums.chunk(4, -1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def skewed(x):
    """Each row moved right by its number: [n, c, h, w] to [n, c, h, w + h - 1]."""
    n, c, h, w = x.shape
    return F.pad(x, (0, h)).reshape(n, c, -1)[..., : h * (w + h - 1)].reshape(n, c, h, w + h - 1)


def unskewed(x, w):
    n, c, h, wide = x.shape
    return F.pad(x.reshape(n, c, -1), (0, h)).reshape(n, c, h, wide + 1)[..., :w]


class DiagonalLayer(nn.Module):
    """A layer of Diagonal BiLSTM: one addmm a column of the skewed map, over all images."""

    def __init__(self, together):
        super().__init__()
        self.gates = nn.ModuleList(nn.Conv2d(WIDTH, 4 * HIDDEN, 1) for _ in range(2))
        self.states = nn.Parameter(torch.randn(2, 2 * HIDDEN, 4 * HIDDEN) * 0.05)
        self.start = nn.Parameter(torch.zeros(2, 2, HIDDEN))
        self.up = nn.Conv2d(HIDDEN, WIDTH, 1)
        self.together = together

    def columns(self, x, side):
        """Gates of a direction by column of the skewed map, [2w - 1, n, h, 4 hidden]."""
        x = x.flip(3) if side else x
        return skewed(self.gates[side](x)).permute(3, 0, 2, 1).contiguous()

    def back(self, columns, side):
        x = unskewed(torch.stack(columns, 3).permute(0, 2, 1, 3), SIDE)
        return x.flip(3) if side else x

    def scan(self, columns, side):
        n, h = columns.shape[1:3]
        state = self.start[side, 0].expand(n, h, HIDDEN)
        c = self.start[side, 1].expand(n, h, HIDDEN)
        above = self.start[side, 0].expand(n, 1, HIDDEN)
        states = []
        for column in columns.unbind(0):
            seen = torch.cat([state, torch.cat([above, state[:, :-1]], 1)], 2)
            sums = torch.addmm(column.view(n * h, -1), seen.view(n * h, -1), self.states[side])
            state, c = cell(sums.view(n, h, -1), c)
            states.append(state)
        return self.back(states, side)

    def both(self, columns):
        """Both directions in one product."""
        columns = torch.stack(columns, 1)
        n, h = columns.shape[2:4]
        state, c = (self.start[:, i, None, None].expand(2, n, h, HIDDEN) for i in range(2))
        above = self.start[:, 0, None, None].expand(2, n, 1, HIDDEN)
        states = []
        for column in columns.unbind(0):
            seen = torch.cat([state, torch.cat([above, state[:, :, :-1]], 2)], 3)
            sums = torch.baddbmm(column.view(2, n * h, -1), seen.view(2, n * h, -1), self.states)
            state, c = cell(sums.view(2, n, h, -1), c)
            states.append(state)
        return [self.back([state[side] for state in states], side) for side in range(2)]

    def forward(self, x):
        columns = [self.columns(x, side) for side in range(2)]
        if self.together:
            left, right = self.both(columns)
        else:
            left, right = (self.scan(columns[side], side) for side in range(2))
        return x + self.up(left + F.pad(right[:, :, :-1], (0, 0, 1, 0)))


class RowLayer(nn.Module):
    """A layer of Row LSTM: one addmm a row, over all images."""

    def __init__(self):
        super().__init__()
        self.gates = nn.Conv2d(WIDTH, 4 * HIDDEN, (1, 2))
        self.states = nn.Parameter(torch.randn(3 * HIDDEN, 4 * HIDDEN) * 0.05)
        self.start = nn.Parameter(torch.zeros(2, HIDDEN))
        self.up = nn.Conv2d(HIDDEN, WIDTH, 1)

    def forward(self, x):
        n, _, _, w = x.shape
        rows = self.gates(F.pad(x, (1, 0))).permute(2, 0, 3, 1).contiguous()
        state, c = (self.start[i].expand(n, w, HIDDEN) for i in range(2))
        side = self.start[0].expand(n, 1, HIDDEN)
        states = []
        for row in rows.unbind(0):
            padded = torch.cat([side, state, side], 1)
            seen = torch.cat([padded[:, :-2], padded[:, 1:-1], padded[:, 2:]], 2)
            sums = torch.addmm(row.view(n * w, -1), seen.view(n * w, -1), self.states)
            state, c = cell(sums.view(n, w, -1), c)
            states.append(state)
        return x + self.up(torch.stack(states, 2).permute(0, 3, 2, 1))


def training(compiled, model, channels_last=False, steps=3):
    """Rounds of Adam steps on 16 images."""
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    data = (torch.rand(1600, 1, SIDE, SIDE) < DENSITY).float()
    if channels_last:
        model = model.to(memory_format=torch.channels_last)

    def loss_of(x):
        logits = model(x)
        return F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)

    loss_of = compiled(loss_of)

    def round():
        order = torch.randperm(len(data))
        for step in range(steps):
            x = data[order[step * 16 : step * 16 + 16]]
            if channels_last:
                x = x.contiguous(memory_format=torch.channels_last)
            optimiser.zero_grad(set_to_none=True)
            loss = loss_of(x).mean()
            loss.backward()
            optimiser.step()
            loss.item()

    return round


def pixel_cnn_step(compiled, form):
    return training(compiled, PixelCnn(), form == "channels last")


def diagonal_step(compiled, form):
    layer = DiagonalLayer(form == "both directions in one product")
    return training(compiled, nn.Sequential(MaskedConv("A", 1, WIDTH, 7), layer, Head()))


def row_step(compiled, _form):
    return training(compiled, nn.Sequential(MaskedConv("A", 1, WIDTH, 7), RowLayer(), Head()))


def affine(conv):
    """Weights [inputs, outputs] and bias of a 1×1 convolution."""
    return conv.weight.flatten(1).t().contiguous(), conv.bias


def dense(conv, seen):
    """The weights of the seen taps of a masked filter, [taps · inputs, outputs]."""
    outputs, inputs = conv.weight.shape[:2]
    weight = conv.weight.permute(2, 3, 1, 0)[seen]
    return weight.reshape(-1, outputs).contiguous(), conv.bias


class Cache:
    """Features of the pixels so far, in a frame of zeros; one slice a row of taps."""

    def __init__(self, count, channels, reach):
        self.values = torch.zeros(SIDE + reach, SIDE + 2 * reach, count, channels)
        self.reach = reach

    def put(self, y, x, values):
        self.values[y + self.reach, x + self.reach] = values

    def before(self, y, x, own):
        """What a filter sees at a pixel, [count, taps · channels]."""
        r = self.reach
        rows = [self.values[y : y + r, x : x + 2 * r + 1].flatten(0, 1)]
        rows.append(self.values[y + r, x : x + r + own])
        return torch.cat(rows).transpose(0, 1).flatten(1)


def seen_taps(kernel, own):
    seen = torch.ones(kernel, kernel, dtype=torch.bool)
    seen[kernel // 2, kernel // 2 + own :] = False
    seen[kernel // 2 + 1 :] = False
    return seen


def head_steps(head):
    layers = [affine(head[i]) for i in (1, 3, 5)]

    def logits(x):
        for weight, bias in layers:
            x = torch.addmm(bias, F.relu(x), weight)
        return x

    return logits


def pixel_cnn_sample(_compiled, _form, count=64):
    model = PixelCnn()
    first = dense(model[0], seen_taps(7, 0))
    blocks = [
        (affine(block.down), dense(block.conv, seen_taps(3, 1)), affine(block.up))
        for block in list(model)[1:-1]
    ]
    head = head_steps(model[-1])

    def round():
        with torch.inference_mode():
            image = Cache(count, 1, 3)
            hidden = [Cache(count, HIDDEN, 1) for _ in blocks]
            uniforms = torch.rand(SIDE, SIDE, count, 1)
            for y in range(SIDE):
                for x in range(SIDE):
                    features = torch.addmm(first[1], image.before(y, x, 0), first[0])
                    for (down, conv, up), cache in zip(blocks, hidden):
                        inner = F.relu(torch.addmm(down[1], F.relu(features), down[0]))
                        cache.put(y, x, inner)
                        inner = F.relu(torch.addmm(conv[1], cache.before(y, x, 1), conv[0]))
                        features = features + torch.addmm(up[1], inner, up[0])
                    drawn = (uniforms[y, x] < torch.sigmoid(head(features))).float()
                    image.put(y, x, drawn)

    return round


def diagonal_sample(_compiled, _form, count=64):
    model = nn.Sequential(MaskedConv("A", 1, WIDTH, 7), DiagonalLayer(False), Head())
    layer, head = model[1], head_steps(model[2])
    first = dense(model[0], seen_taps(7, 0))
    gates, up = [affine(conv) for conv in layer.gates], affine(layer.up)

    def state(features, side, beside, above, c):
        weight, bias = gates[side]
        sums = torch.addmm(torch.addmm(bias, features, weight), torch.cat([beside, above], 1),
                           layer.states[side])
        return cell(sums, c)

    def round():
        with torch.inference_mode():
            image = Cache(count, 1, 3)
            starts = [layer.start[side, 0].expand(count, HIDDEN) for side in range(2)]
            cells = [layer.start[side, 1].expand(count, HIDDEN) for side in range(2)]
            above = [[start] * SIDE for start in starts]
            from_right = [torch.zeros(count, HIDDEN)] * SIDE
            uniforms = torch.rand(SIDE, SIDE, count, 1)
            for y in range(SIDE):
                row = []
                h, c = starts[0], cells[0]
                for x in range(SIDE):
                    features = torch.addmm(first[1], image.before(y, x, 0), first[0])
                    row.append(features)
                    h, c = state(features, 0, h, above[0][x], c)
                    above[0][x] = h
                    features = features + torch.addmm(up[1], h + from_right[x], up[0])
                    drawn = (uniforms[y, x] < torch.sigmoid(head(features))).float()
                    image.put(y, x, drawn)
                h, c = starts[1], cells[1]
                for x in reversed(range(SIDE)):
                    h, c = state(row[x], 1, h, above[1][x], c)
                    above[1][x] = h
                from_right = list(above[1])

    return round


ROUNDS = {
    "pixel-cnn-step": pixel_cnn_step,
    "row-lstm-step": row_step,
    "diagonal-bilstm-step": diagonal_step,
    "pixel-cnn-sample": pixel_cnn_sample,
    "diagonal-bilstm-sample": diagonal_sample,
}
