"""A process that loads saved weights and draws one sample with PyTorch. Usage: first_sample.py FILE

Without FILE's existence it writes weights of the right sizes there first and ends.
"""

import os
import sys

import torch
from torch import nn

decoder = nn.Sequential(
    nn.Linear(50, 200), nn.Tanh(), nn.Linear(200, 200), nn.Tanh(), nn.Linear(200, 784)
)
if not os.path.exists(sys.argv[1]):
    torch.save(decoder.state_dict(), sys.argv[1])
else:
    decoder.load_state_dict(torch.load(sys.argv[1]))
    with torch.no_grad():
        print(torch.bernoulli(torch.sigmoid(decoder(torch.randn(1, 50)))).sum().item())
