"""Single layers in PyTorch, like those of layers.rs."""

import functools

import torch
from torch import nn


# Memory layouts of images; peer.py keeps the faster.
LAYOUTS = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}


def convolution(compiled, form, bf16=False):
    layout = LAYOUTS[form]
    x = torch.randn(16, 64, 28, 28).to(memory_format=layout).requires_grad_(True)
    layer = nn.Conv2d(64, 64, 3, padding=1).to(memory_format=layout)
    forward = compiled(layer)

    def round():
        for _ in range(10):
            x.grad = None
            layer.zero_grad(set_to_none=True)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
                y = forward(x)
            y.float().sum().backward()

    return round


def dense(compiled, form, bf16=False):
    x = torch.randn(64, 6272, requires_grad=True)
    layer = nn.Linear(6272, 1024)
    forward = compiled(layer)

    def round():
        for _ in range(10):
            x.grad = None
            layer.zero_grad(set_to_none=True)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
                y = forward(x)
            y.float().sum().backward()

    return round


def dcgan(compiled, form):
    def up(a, b, *more):
        return [nn.ConvTranspose2d(a, b, 4, *more, bias=False), nn.BatchNorm2d(b), nn.ReLU(True)]

    def down(a, b):
        return [nn.Conv2d(a, b, 4, 2, 1, bias=False), nn.BatchNorm2d(b), nn.LeakyReLU(0.2, True)]

    generator = nn.Sequential(
        *up(100, 256),
        *up(256, 128, 2, 1),
        *up(128, 64, 2, 1),
        nn.ConvTranspose2d(64, 3, 4, 2, 1, bias=False),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(3, 64, 4, 2, 1, bias=False),
        nn.LeakyReLU(0.2, True),
        *down(64, 128),
        *down(128, 256),
        nn.Conv2d(256, 1, 4, bias=False),
    )
    both = nn.Sequential(generator, discriminator).to(memory_format=LAYOUTS[form])
    noise = torch.randn(64, 100, 1, 1)
    forward = compiled(both)

    def round():
        for _ in range(2):
            both.zero_grad(set_to_none=True)
            forward(noise).sum().backward()

    return round


FORMS = {case: list(LAYOUTS) for case in ["conv-64", "conv-64-bf16", "dcgan-layers"]}

ROUNDS = {
    "conv-64": convolution,
    "conv-64-bf16": functools.partial(convolution, bf16=True),
    "dense-6272": dense,
    "dense-6272-bf16": functools.partial(dense, bf16=True),
    "dcgan-layers": dcgan,
}
