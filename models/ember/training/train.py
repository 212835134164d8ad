#!/usr/bin/env python3
"""Trains Ember on text, then on more and more conversations. The schedule follows wall-clock time.

usage: train.py DATA_FOLDER OUTPUT_FOLDER SECONDS [ROWS]

Waits for the files of prepare_data.py, so that both can be started together: compiling the model
takes about as long as preparing the text. The conversations join as soon as they are there. Writes
final.pt (and partial.pt on the way), final.json with the measurements, and train.log.
"""

import json
import math
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch

from model import EMBER_CONFIG, IGNORED_TARGET, Ember

TOKENS = 1024  # in a row
PEAK_RATE = 2e-3
WARMUP_STEPS = 300
FINAL_RATE_SHARE = 0.015
WEIGHT_DECAY = 0.1
BALANCE_WEIGHT, Z_WEIGHT = 0.02, 1e-4
CHAT_SHARE_FIRST, CHAT_SHARE_LAST = 0.08, 0.55
LAST_PART_FROM = 0.62  # of the time
EVALUATE_EVERY_S, SAVE_EVERY_S = 150, 240
DEVICE = "cuda"


class Log:
    def __init__(self, path):
        self._file = open(path, "w", encoding="utf-8")

    def __call__(self, *items):
        line = " ".join(map(str, items))
        print(line, flush=True)
        self._file.write(line + "\n")
        self._file.flush()


def wait_for(path):
    while not path.exists():
        time.sleep(0.2)
    time.sleep(0.5)
    return path


def load(path, dtype):
    return torch.from_numpy(np.load(path).astype(dtype)).to(DEVICE)


class Permutation:
    """Hands out the numbers below `size` in random order, epoch after epoch."""

    def __init__(self, size, generator):
        self.size = size
        self.epoch = 0
        self._generator = generator
        self._order = None
        self._next = 0

    def take(self, count):
        """Returns (numbers, whether a new epoch began)."""
        begins = self._order is None or self._next + count > self.size
        if begins:
            self._order = torch.randperm(self.size, generator=self._generator, device=DEVICE)
            self._next = 0
            self.epoch += 1
        self._next += count
        return self._order[self._next - count : self._next], begins

    def epochs_done(self):
        return self.epoch - 1 + self._next / self.size


class Documents:
    """Windows of a long stream of tokens; each epoch cuts it at other places."""

    def __init__(self, folder, rows, generator):
        self.ids = load(wait_for(folder / "docs.npy"), np.int16)
        validation = np.load(wait_for(folder / "val.npy")).astype(np.int64)
        count = min(len(validation) // (TOKENS + 1), 8 * rows) // rows * rows
        validation = validation[: count * (TOKENS + 1)].reshape(count, TOKENS + 1)
        self.validation = torch.from_numpy(validation).to(DEVICE)
        self.windows = Permutation(self.ids.numel() // TOKENS - 2, generator)
        self._generator = generator
        self._shift = None
        self._within = torch.arange(TOKENS + 1, device=DEVICE)

    def batch(self, rows):
        indices, begins = self.windows.take(rows)
        if begins:
            self._shift = torch.randint(0, TOKENS, (1,), generator=self._generator, device=DEVICE)
        starts = indices * TOKENS + self._shift
        window = self.ids[starts[:, None] + self._within].long()
        return window[:, :-1], window[:, 1:].clone()


class Conversations:
    """Packed conversations; only the assistant's tokens are targets."""

    def __init__(self, folder, generator):
        self.ids = load(folder / "chat.npy", np.int16)
        self.mask = load(folder / "chat_mask.npy", np.uint8)
        self.validation = load(folder / "chat_val.npy", np.int64)
        self.validation_mask = load(folder / "chat_val_mask.npy", np.uint8)
        self.rows = Permutation(self.ids.shape[0], generator)

    @staticmethod
    def split(ids, mask):
        targets = torch.where(mask[:, 1:] > 0, ids[:, 1:], IGNORED_TARGET)
        return ids[:, :-1], targets

    def batch(self, rows):
        indices, _ = self.rows.take(rows)
        return self.split(self.ids[indices].long(), self.mask[indices])


class Trainer:
    def __init__(self, rows, log):
        self.rows = rows
        self.log = log
        self.model = Ember(EMBER_CONFIG, TOKENS).to(DEVICE)
        for layer in self.model.layers:
            layer.compile(dynamic=False)
        self._head_loss = torch.compile(self.model.head_loss, dynamic=False)
        decayed, others = [], []
        for name, parameter in self.model.named_parameters():
            is_matrix = parameter.ndim >= 2 and "conv1d" not in name and "embed" not in name
            (decayed if is_matrix else others).append(parameter)
        self.parameters = decayed + others
        self.optimizer = torch.optim.AdamW(
            [
                {"params": decayed, "weight_decay": WEIGHT_DECAY},
                {"params": others, "weight_decay": 0.0},
            ],
            lr=PEAK_RATE,
            betas=(0.9, 0.95),
            eps=1e-9,
            fused=True,
        )

    def loss(self, ids, targets):
        """Returns (loss, summed cross entropy, targets, balance losses, expert counts)."""
        x, balance_losses, z_losses, counts = self.model.body(ids)
        cross_entropy = self._head_loss(x, targets)
        n = (targets >= 0).sum()
        loss = cross_entropy / n + BALANCE_WEIGHT * balance_losses.mean()
        loss = loss + Z_WEIGHT * z_losses.mean()
        return loss, cross_entropy.detach(), n, balance_losses.detach(), counts

    def clear_gradients(self):
        for parameter in self.parameters:
            parameter.grad = None

    def compile(self):
        ids = torch.randint(0, 8000, (self.rows, TOKENS), device=DEVICE)
        self.loss(ids, ids)[0].backward()
        self.clear_gradients()
        torch.cuda.synchronize()

    def step(self, ids, targets, rate):
        """One update, with the gradient clipped to norm 1 and left out if it is not finite.

        Returns (cross entropy, targets, balance losses, gradient norm, 1 if left out), on the GPU:
        nothing here waits for it.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss, cross_entropy, n, balance_losses, _ = self.loss(ids, targets)
        loss.backward()
        norms = torch._foreach_norm([parameter.grad for parameter in self.parameters])
        norm = torch.linalg.vector_norm(torch.stack(norms))
        left_out = (~torch.isfinite(norm)).float()
        # The fused optimizer divides by grad_scale and skips the update where found_inf is 1.
        finite_norm = norm.nan_to_num(1.0, 1.0, 1.0)
        self.optimizer.grad_scale = torch.maximum(finite_norm, torch.ones_like(norm))
        self.optimizer.found_inf = left_out
        self.optimizer.step()
        self.clear_gradients()
        return cross_entropy, n, balance_losses, norm, left_out

    def evaluate(self, batches):
        """Returns (loss per target or None, shares of the experts [L, E]).

        Gradients stay enabled so that the graphs compiled for training are used again.
        """
        total, targets_total, counts_total = 0.0, 0, 0
        for ids, targets in batches:
            _, cross_entropy, n, _, counts = self.loss(ids, targets)
            total += cross_entropy.item()
            targets_total += n.item()
            counts_total = counts_total + counts.double()
        if targets_total == 0:
            return None, None
        return total / targets_total, counts_total / counts_total.sum(1, keepdim=True)

    def save(self, path):
        state = self.model.hugging_face_state()
        state = {
            name: tensor.detach().to(torch.bfloat16).cpu().clone() for name, tensor in state.items()
        }
        unfinished = path.with_suffix(".unfinished")
        torch.save(state, unfinished)
        os.replace(unfinished, path)


def rounded(tensor):
    return [round(value, 4) for value in tensor.tolist()]


def relative_entropy(shares):
    """1 where all experts are used evenly."""
    entropy = -(shares * shares.clamp_min(1e-12).log()).sum(1)
    return rounded(entropy / math.log(shares.shape[1]))


def evaluate(trainer, documents, conversations):
    rows = trainer.rows
    parts = documents.validation.split(rows)
    batches = ((part[:, :-1].contiguous(), part[:, 1:].contiguous()) for part in parts)
    loss, shares = trainer.evaluate(batches)
    result = {
        "val_docs": loss,
        "expert_entropy": relative_entropy(shares),
        "expert_min_share": rounded(shares.min(1)[0]),
        "expert_max_share": rounded(shares.max(1)[0]),
    }
    if conversations:
        whole = len(conversations.validation) // rows * rows
        ids = conversations.validation[:whole].split(rows)
        masks = conversations.validation_mask[:whole].split(rows)
        split = (Conversations.split(*pair) for pair in zip(ids, masks))
        batches = ((inputs.contiguous(), targets) for inputs, targets in split)
        loss, shares = trainer.evaluate(batches) if whole else (None, None)
        if loss is not None:
            result["val_chat"] = loss
            result["expert_entropy_chat"] = relative_entropy(shares)
    return result


def learning_rate(step, progress):
    warmup = min(1, (step + 1) / WARMUP_STEPS)
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    return PEAK_RATE * warmup * (FINAL_RATE_SHARE + (1 - FINAL_RATE_SHARE) * cosine)


class Run:
    """The training loop and what it counts."""

    def __init__(self, trainer, data, output, seconds):
        self.trainer, self.data, self.output, self.seconds = trainer, data, output, seconds
        self.log = trainer.log
        self.generator = torch.Generator(device=DEVICE)
        self.generator.manual_seed(99)
        self.documents = Documents(data, trainer.rows, self.generator)
        self.conversations = None
        self.steps = self.tokens = self.chat_tokens = 0
        self.log("document tokens", self.documents.ids.numel())
        self.log("validation rows", len(self.documents.validation))

    def _look_for_conversations(self):
        if self.conversations is None and (self.data / "chat.npy").exists():
            self.conversations = Conversations(self.data, self.generator)
            self.log("conversation rows", self.conversations.ids.shape[0])

    def _batch(self, progress):
        rows = self.trainer.rows
        chat_rows = 0
        if self.conversations is not None:
            share = CHAT_SHARE_FIRST if progress < LAST_PART_FROM else CHAT_SHARE_LAST
            chat_rows = round(rows * share)
        ids, targets = self.documents.batch(rows - chat_rows)
        if chat_rows:
            chat_ids, chat_targets = self.conversations.batch(chat_rows)
            ids, targets = torch.cat([ids, chat_ids]), torch.cat([targets, chat_targets])
        self.tokens += rows * TOKENS
        self.chat_tokens += chat_rows * TOKENS
        return ids, targets

    def _report(self, progress, rate, sums, norm, skipped, seconds):
        loss, balance = sums[0] / sums[1], sums[2] / 100
        chat_epoch = self.conversations.rows.epoch if self.conversations else 0
        speed = 100 * self.trainer.rows * TOKENS / seconds / 1e3
        self.log(
            f"step {self.steps} time {progress:.3f} loss {loss:.4f} balance {balance:.4f}",
            f"norm {float(norm):.3f} rate {rate:.2e} tokens {self.tokens / 1e6:.1f}M",
            f"{speed:.0f}k/s epochs {self.documents.windows.epoch}/{chat_epoch}",
            f"skipped {int(skipped)}",
            f"memory {torch.cuda.max_memory_allocated() / 2**30:.1f}G",
        )

    def train(self):
        start = last_report = last_evaluation = last_save = time.time()
        skipped = torch.zeros((), device=DEVICE)
        sums = torch.zeros(3, device=DEVICE)
        while True:
            now = time.time()
            progress = (now - start) / self.seconds
            if progress >= 1:
                return
            if self.steps % 50 == 0:
                self._look_for_conversations()
            rate = learning_rate(self.steps, progress)
            cross_entropy, n, balance, norm, left_out = self.trainer.step(
                *self._batch(progress), rate
            )
            skipped += left_out
            sums += torch.stack([cross_entropy, n.float(), balance.mean()])
            self.steps += 1
            if self.steps % 100 == 0:
                values = sums.tolist()
                sums.zero_()
                now = time.time()
                self._report(progress, rate, values, norm, skipped, now - last_report)
                last_report = now
            # Neither evaluating nor saving counts as training time.
            if now - last_evaluation > EVALUATE_EVERY_S:
                results = evaluate(self.trainer, self.documents, self.conversations)
                self.log("evaluation", json.dumps(results))
                last_evaluation = time.time()
                start += last_evaluation - now
            if now - last_save > SAVE_EVERY_S:
                begun = time.time()
                self.trainer.save(self.output / "partial.pt")
                last_save = time.time()
                start += last_save - begun

    def finish(self):
        results = evaluate(self.trainer, self.documents, self.conversations)
        chat = self.conversations
        results.update(
            steps=self.steps,
            tokens=self.tokens,
            chat_tokens=self.chat_tokens,
            doc_epochs=self.documents.windows.epochs_done(),
            chat_epochs=chat.rows.epochs_done() if chat else 0,
            rows=self.trainer.rows,
            seq=TOKENS,
            lr=PEAK_RATE,
            seconds=self.seconds,
            parameters=sum(p.numel() for p in self.trainer.model.parameters()),
            doc_tokens=self.documents.ids.numel(),
        )
        self.log("final", json.dumps(results))
        (self.output / "final.json").write_text(json.dumps(results), encoding="utf-8")
        self.trainer.save(self.output / "final.pt")


def main():
    data, output, seconds = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
    rows = int(sys.argv[4]) if len(sys.argv) > 4 else 96
    output.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1234)
    torch.set_float32_matmul_precision("high")
    log = Log(output / "train.log")
    trainer = Trainer(rows, log)
    log("parameters", sum(p.numel() for p in trainer.model.parameters()))
    begun = time.time()
    trainer.compile()
    log("compiled in", round(time.time() - begun, 1), "s; waiting for data")
    run = Run(trainer, data, output, seconds)
    run.train()
    run.finish()


if __name__ == "__main__":
    main()
