"""The same work in PyTorch, for the bench: told "go" on stdin, does one round, prints its seconds.

Usage: peer.py CASE eager|compile THREADS [FORM]

Begins with a line "ready MIB FORM": the memory that a round took, and the form that was chosen where
a case can be written in several. Given a form, prints the seconds of its quickest of three rounds and ends.
"""

import subprocess
import sys
import time


def resident_peak():
    """Peak resident memory in KiB (Linux)."""
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmHWM"):
                return int(line.split()[1])
    return 0


import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import peer_adversarial  # noqa: E402
import peer_autoregressive  # noqa: E402
import peer_layers  # noqa: E402
import peer_pixels  # noqa: E402

CASE, MODE, THREADS = sys.argv[1], sys.argv[2], int(sys.argv[3])
torch.set_num_threads(THREADS)
torch.manual_seed(0)


class Vae(nn.Module):
    """784-200-200-50, tanh, Bernoulli."""

    def __init__(self, size=784, hidden=200, latent=50):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(size, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh()
        )
        self.head = nn.Linear(hidden, 2 * latent)
        self.decoder = nn.Sequential(
            nn.Linear(latent, hidden),
            nn.Tanh(),
            nn.Linear(hidden, hidden),
            nn.Tanh(),
            nn.Linear(hidden, size),
        )

    def loss(self, x):
        mean, log_sigma = self.head(self.encoder(x)).chunk(2, 1)
        z = mean + log_sigma.exp() * torch.randn_like(mean)
        logits = self.decoder(z)
        nll = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        kl = 0.5 * (mean**2 + (2 * log_sigma).exp() - 2 * log_sigma - 1).sum()
        return (nll + kl) / x.shape[0]

    def bound(self, x, k):
        """The K-sample bound of one example [1, size]."""
        mean, log_sigma = self.head(self.encoder(x)).chunk(2, 1)
        noise = torch.randn(k, mean.shape[1])
        z = mean + log_sigma.exp() * noise
        logits = self.decoder(z)
        nll = F.binary_cross_entropy_with_logits(
            logits, x.expand(k, -1), reduction="none"
        ).sum(1)
        log_w = -nll - 0.5 * (z**2).sum(1) + (0.5 * noise**2 + log_sigma).sum(1)
        return torch.logsumexp(log_w.double(), 0) - torch.log(torch.tensor(float(k)))


def train_round():
    model = Vae()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    data = (torch.rand(6000, 784) < 0.13).float()
    loss_of = compiled(model.loss)

    def round(steps=100):
        order = torch.randperm(len(data))
        for step in range(steps):
            at = step * 100 % len(data)
            x = data[order[at : at + 100]]
            optimiser.zero_grad(set_to_none=True)
            loss = loss_of(x)
            loss.backward()
            optimiser.step()
            loss.item()

    return round


def evaluate_round():
    model = Vae()
    data = (torch.rand(4, 784) < 0.13).float()
    bound = compiled(model.bound)

    def round():
        with torch.no_grad():
            for i in range(len(data)):
                bound(data[i : i + 1], 5000).item()

    return round


def compiled(function):
    return torch.compile(function) if MODE == "compile" else function


def timed(round):
    began = time.perf_counter()
    round()
    return time.perf_counter() - began


def quickest(forms):
    """The form that is the quickest in a process of its own, so that memory is that of one form; and
    a word on the others."""
    seconds = {}
    for form in forms:
        trial = subprocess.run([sys.executable, *sys.argv, form], capture_output=True, text=True)
        if trial.returncode == 0:
            seconds[form] = float(trial.stdout)
    best = min(seconds, key=seconds.get)
    others = [
        f"{form}: {of / seconds[best]:.2f} times as long" for form, of in seconds.items() if form != best
    ]
    return best, ", ".join([best, *others])


def main():
    form = sys.argv[4] if len(sys.argv) > 4 else None
    others = [peer_autoregressive, peer_pixels, peer_adversarial, peer_layers]
    forms = next((other.FORMS[CASE] for other in others if CASE in other.FORMS), None)
    chosen, told = (form, form) if form or not forms else quickest(forms)
    baseline = resident_peak()
    of = next((other.ROUNDS[CASE] for other in others if CASE in other.ROUNDS), None)
    if of:
        round = of(compiled, chosen or "")
    else:
        # Ours by split products, against single precision.
        case = CASE.removesuffix("-bf16x3").removesuffix("-bf16x6")
        round = {"vae-step": train_round, "vae-evaluate": evaluate_round}[case]()
    round()
    if form:
        print(min(timed(round) for _ in range(3)))
        return
    print("ready", (resident_peak() - baseline) / 1024, told or "", flush=True)
    for _ in sys.stdin:
        print(timed(round), flush=True)


main()
