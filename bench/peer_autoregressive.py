"""Autoregressive models in PyTorch, for peer.py.

Each function gives a round: a closure that does the work once. Where there are several ways to
write a model, FORMS names them; peer.py measures all and keeps the quickest.
"""

import torch
from torch import nn
from torch.nn import functional as F

SIZE, HIDDEN, DENSITY = 784, 500, 0.13

FORMS = {
    "nade-step": ["loop", "one tensor"],
    "nade-evaluate": ["loop, batch 100", "loop, batch 300", "loop, batch 1000"],
}


def images(count):
    return (torch.rand(count, SIZE) < DENSITY).float()


class Nade(nn.Module):
    """784 binary entries, 500 sigmoid units, weights not tied."""

    def __init__(self):
        super().__init__()
        spread = (6 / (SIZE + HIDDEN)) ** 0.5
        self.w = nn.Parameter((2 * torch.rand(SIZE, HIDDEN) - 1) * spread)
        self.v = nn.Parameter((2 * torch.rand(SIZE, HIDDEN) - 1) * spread)
        self.c = nn.Parameter(torch.zeros(HIDDEN))
        self.b = nn.Parameter(torch.full((SIZE,), DENSITY).logit())

    def loop(self, x, entry):
        """Logits [batch, size], carrying the sums from entry to entry."""
        a = self.c.expand(len(x), HIDDEN)
        logits = []
        # Unbound once: indexing would make each entry's gradient as large as all of the weights.
        for x_d, w_d, v_d in zip(x.t().unsqueeze(2).unbind(0), self.w.unbind(0), self.v.unbind(0)):
            a, logit = entry(a, x_d, w_d, v_d)
            logits.append(logit)
        return torch.stack(logits, 1) + self.b

    def one_tensor(self, x):
        """The same with all sums at once, [batch, size, hidden]."""
        added = x[:, :-1, None] * self.w[:-1]
        a = torch.cat([self.c.expand(len(x), 1, HIDDEN), added], 1).cumsum(1)
        return torch.einsum("bdh,dh->bd", torch.sigmoid(a), self.v) + self.b


def entry(a, x_d, w_d, v_d):
    """The output of an entry, and the sums with it."""
    return torch.addcmul(a, x_d, w_d), torch.mv(torch.sigmoid(a), v_d)


def nll(logits, x):
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)


def nade_step(compiled, form, steps=5):
    model = Nade()
    data = images(6000)
    one_tensor, one = compiled(model.one_tensor), compiled(entry)
    logits_of = one_tensor if form == "one tensor" else lambda x: model.loop(x, one)

    def round():
        order = torch.randperm(len(data))
        for step in range(steps):
            x = data[order[step * 100 : step * 100 + 100]]
            model.zero_grad(set_to_none=True)
            loss = nll(logits_of(x), x).mean()
            loss.backward()
            loss.item()

    return round


def nade_sample(compiled, _form):
    model = Nade()

    def draw(a, u_d, w_d, v_d, b_d):
        x_d = (u_d < torch.sigmoid(torch.mv(torch.sigmoid(a), v_d) + b_d)).float()
        return torch.addr(a, x_d, w_d), x_d

    draw = compiled(draw)

    def round(count=64):
        with torch.no_grad():
            a = model.c.expand(count, HIDDEN)
            drawn = []
            parts = [t.unbind(0) for t in (torch.rand(SIZE, count), model.w, model.v, model.b)]
            for u_d, w_d, v_d, b_d in zip(*parts):
                a, x_d = draw(a, u_d, w_d, v_d, b_d)
                drawn.append(x_d)
            torch.stack(drawn, 1)

    return round


def nade_evaluate(compiled, form):
    model = Nade()
    data = images(10_000)
    batch = int(form.split()[-1])
    one = compiled(entry)

    def round():
        with torch.no_grad():
            total = 0.0
            for x in data.split(batch):
                total += nll(model.loop(x, one), x).double().sum().item()

    return round


def training(compiled, model, loss_of, steps):
    """Rounds of Adam steps on batches of 100."""
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    data = images(6000)
    loss_of = compiled(loss_of)

    def round():
        order = torch.randperm(len(data))
        for step in range(steps):
            x = data[order[step * 100 : step * 100 + 100]]
            optimiser.zero_grad(set_to_none=True)
            loss = loss_of(x)
            loss.backward()
            optimiser.step()
            loss.item()

    return round


def deep_nade_step(compiled, _form):
    model = nn.Sequential(
        nn.Linear(2 * SIZE, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, SIZE),
    )

    def loss(x):
        d = torch.randint(SIZE, (len(x), 1))
        observed = torch.rand_like(x).argsort(1).argsort(1) < d
        weight = ~observed * (SIZE / (SIZE - d))
        observed = observed.float()
        logits = model(torch.cat([x * observed, observed], 1))
        each = F.binary_cross_entropy_with_logits(logits, x, reduction="none")
        return (each * weight).sum(1).mean()

    return training(compiled, model, loss, steps=20)


def made_step(compiled, _form, hidden=8000):
    model = nn.Sequential(nn.Linear(SIZE, hidden), nn.Linear(hidden, SIZE))
    degrees = 1 + torch.arange(hidden) * (SIZE - 1) // hidden
    entries = torch.arange(SIZE)
    first = (entries < degrees[:, None]).float()
    second = (degrees <= entries[:, None]).float()

    def loss(x):
        h = F.relu(F.linear(x, model[0].weight * first, model[0].bias))
        logits = F.linear(h, model[1].weight * second, model[1].bias)
        return nll(logits, x).mean()

    return training(compiled, model, loss, steps=3)


ROUNDS = {
    "nade-step": nade_step,
    "nade-sample": nade_sample,
    "nade-evaluate": nade_evaluate,
    "deep-nade-step": deep_nade_step,
    "made-step": made_step,
}
