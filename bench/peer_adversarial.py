"""Steps of adversarial networks in PyTorch, like those of rounds.rs: 32x32 color images."""

import functools

import torch
import torch.nn.functional as F
from torch import nn

from peer_layers import LAYOUTS

BATCH, NOISE = 64, 100


def generator():
    def up(a, b):
        return [nn.ConvTranspose2d(a, b, 4, 2, 1), nn.BatchNorm2d(b), nn.ReLU(True)]

    first = [nn.ConvTranspose2d(NOISE, 256, 4), nn.BatchNorm2d(256), nn.ReLU(True)]
    last = [nn.ConvTranspose2d(64, 3, 4, 2, 1), nn.Tanh()]
    return nn.Sequential(*first, *up(256, 128), *up(128, 64), *last)


def critic(norm):
    def down(a, b):
        return [nn.Conv2d(a, b, 4, 2, 1), norm(b), nn.LeakyReLU(0.2, True)]

    first = [nn.Conv2d(3, 64, 4, 2, 1), nn.LeakyReLU(0.2, True)]
    last = [nn.Conv2d(256, 1, 4), nn.Flatten(0)]
    return nn.Sequential(*first, *down(64, 128), *down(128, 256), *last)


def short(bf16):
    """Convolutions in bf16, if so."""
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16)


def adam(network):
    return torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999))


def freeze(network, yes):
    for parameter in network.parameters():
        parameter.requires_grad_(not yes)


def images(layout):
    data = torch.randint(0, 255, (1000, 3, 32, 32), dtype=torch.uint8)
    while True:
        for index in torch.randperm(len(data)).split(BATCH):
            yield (data[index].float() / 127.5 - 1).to(memory_format=layout)


def dcgan(compiled, form, bf16=False):
    g, d, batches = generator(), critic(nn.BatchNorm2d), images(LAYOUTS[form])
    g, d = g.to(memory_format=LAYOUTS[form]), d.to(memory_format=LAYOUTS[form])
    for_g, for_d = adam(g), adam(d)
    draw, score = compiled(g), compiled(d)

    def step():
        # The samples of the critic's update are those of the generator's, as in the usual script.
        real = next(batches)
        with short(bf16):
            fake = draw(torch.randn(len(real), NOISE, 1, 1))
            scores = score(real), score(fake.detach())
        for_d.zero_grad(set_to_none=True)
        loss = F.softplus(-scores[0].float()).mean() + F.softplus(scores[1].float()).mean()
        loss.backward()
        for_d.step()
        # The critic's weights are constants here, so that no gradient is computed for them.
        freeze(d, True)
        for_g.zero_grad(set_to_none=True)
        with short(bf16):
            scores = score(fake)
        loss_g = F.softplus(-scores.float()).mean()
        loss_g.backward()
        for_g.step()
        freeze(d, False)
        return loss.item(), loss_g.item()

    def round():
        for _ in range(3):
            step()

    return round


def wgan_gp(compiled, form):
    g, d, batches = generator(), critic(lambda n: nn.GroupNorm(1, n)), images(LAYOUTS[form])
    g, d = g.to(memory_format=LAYOUTS[form]), d.to(memory_format=LAYOUTS[form])
    for_g, for_d = adam(g), adam(d)

    def critic_step():
        real = next(batches)
        with torch.no_grad():
            fake = g(torch.randn(len(real), NOISE, 1, 1))
        share = torch.rand(len(real), 1, 1, 1)
        between = (real + share * (fake - real)).requires_grad_(True)
        (input_gradient,) = torch.autograd.grad(d(between).sum(), between, create_graph=True)
        penalty = ((input_gradient.flatten(1).norm(dim=1) - 1) ** 2).mean()
        for_d.zero_grad(set_to_none=True)
        loss = d(fake).mean() - d(real).mean() + 10 * penalty
        loss.backward()
        for_d.step()
        return loss.item()

    def round():
        for _ in range(10):
            critic_step()
        freeze(d, True)
        for_g.zero_grad(set_to_none=True)
        loss = -d(g(torch.randn(BATCH, NOISE, 1, 1))).mean()
        loss.backward()
        for_g.step()
        freeze(d, False)
        loss.item()

    return round


ROUNDS = {
    "dcgan-step": dcgan,
    "dcgan-step-bf16": functools.partial(dcgan, bf16=True),
    # Ours by split products, against single precision.
    "dcgan-step-bf16x3": dcgan,
    "dcgan-step-bf16x6": dcgan,
    "wgan-gp-critic": wgan_gp,
}
FORMS = {case: list(LAYOUTS) for case in ROUNDS}
