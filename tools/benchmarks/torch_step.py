"""The published adversarial update in PyTorch, for the suite training. Needs torch.

The same work as `AnimeGAN.adversarial_step`, in the form that is fastest in PyTorch too: channels
last, one pass of the generator for both updates, one batch of the discriminator's four inputs, and
one pass of the features for photo and gray frame.
"""

import contextlib
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from animegan_tf.networks.feature_files import BLOCKS, FILTERS
from animegan_tf.recipes import RECIPES
from benchmarks import description
from benchmarks.inference import DESCRIPTION
from benchmarks.torch_module import TorchGenerator
from benchmarks.worker import Timed

_YUV = (
    (0.299, -0.14714119, 0.61497538),
    (0.587, -0.28886916, -0.51496512),
    (0.114, 0.43601035, -0.10001026),
)


def _conv(inputs, filters, stride=1):
    pad = nn.ZeroPad2d((1, 0, 1, 0) if stride == 2 else 1)
    return pad, spectral_norm(nn.Conv2d(inputs, filters, 3, stride, bias=False))


def _normed(filters):
    return nn.GroupNorm(1, filters, 1e-12), nn.LeakyReLU(0.2)


def discriminator():
    """The layer-norm discriminator of AnimeGANv2: (N, 3, H, W) to (N, 1, H/4, W/4)."""
    layers = [*_conv(3, 32), nn.LeakyReLU(0.2)]
    for inputs, filters in ((32, 64), (128, 128)):
        layers += [*_conv(inputs, filters, 2), nn.LeakyReLU(0.2)]
        layers += [*_conv(filters, 2 * filters), *_normed(2 * filters)]
    return nn.Sequential(*layers, *_conv(256, 256), *_normed(256), *_conv(256, 1))


def features():
    """VGG19 up to conv4_4 with random weights, frozen."""
    layers, inputs = [], 3
    for block, (count, filters) in enumerate(zip(BLOCKS["vgg19"], FILTERS, strict=True)):
        layers += [nn.MaxPool2d(2, ceil_mode=True)] if block else []
        for _ in range(count):
            layers += [nn.Conv2d(inputs, filters, 3, padding=1), nn.ReLU()]
            nn.init.kaiming_normal_(layers[-2].weight)
            inputs = filters
    return nn.Sequential(*layers[:-1]).requires_grad_(False)


def _preprocess(image):
    return (image.flip(1) + 1) * 127.5 - torch.tensor((103.939, 116.779, 123.68)).view(3, 1, 1)


def _gram(values):
    flat = values.float().flatten(2)
    return flat @ flat.transpose(1, 2) / flat[0].numel()


def _yuv(image):
    return torch.einsum("nchw,cd->dnhw", (image + 1) / 2, torch.tensor(_YUV))


def _color(photo, made):
    (y, u, v), (y2, u2, v2) = _yuv(photo), _yuv(made)
    return (y - y2).abs().mean() + functional.huber_loss(u2, u) + functional.huber_loss(v2, v)


def _variation(made):
    rows, columns = made.diff(dim=2), made.diff(dim=3)
    return (rows.square().mean() + columns.square().mean()) / 2


class _Step:
    def __init__(self, nodes, weights, bfloat16):
        self.recipe = RECIPES["hayao"]
        self.generator = TorchGenerator(nodes, weights)
        self.discriminator = discriminator().to(memory_format=torch.channels_last)
        self.features = features().to(memory_format=torch.channels_last)
        trained = [value.requires_grad_() for value in self.generator.buffers()]
        self.adam = [
            torch.optim.Adam(values, rate, (0.5, 0.999))
            for values, rate in (
                (trained, self.recipe.generator_learning_rate),
                (self.discriminator.parameters(), self.recipe.discriminator_learning_rate),
            )
        ]
        self.precision = contextlib.nullcontext
        if bfloat16:
            self.precision = lambda: torch.autocast("cpu", torch.bfloat16)

    def __call__(self, photo, anime, gray, smooth):
        """One update; photo (N, H, W, 3), the others (N, 3, H, W), channels last. The losses."""
        with self.precision():
            made = self.generator(photo).permute(0, 3, 1, 2).float()
            loss = self._discriminator_loss(torch.cat((anime, made.detach(), gray, smooth)))
        self._update(self.adam[1], loss)
        with self.precision():
            total = self._generator_loss(photo.permute(0, 3, 1, 2), gray, made)
        self._update(self.adam[0], total)
        return float(loss.detach()), float(total.detach())

    def _discriminator_loss(self, images):
        logits = self.discriminator(images).float().chunk(4)
        terms = [(part - float(at == 0)).square().mean() for at, part in enumerate(logits)]
        weighted = zip(self.recipe.discriminator_weights, terms, strict=True)
        return self.recipe.discriminator_adversarial_weight * sum(w * t for w, t in weighted)

    def _generator_loss(self, photo, gray, made):
        recipe = self.recipe
        with torch.no_grad():
            photo_features, gray_features = self.features(
                _preprocess(torch.cat((photo, gray)))
            ).chunk(2)
        features = self.features(_preprocess(made))
        adversarial = (self.discriminator(made).float() - 1).square().mean()
        return (
            recipe.content_weight * (photo_features.float() - features.float()).abs().mean()
            + recipe.style_weight * (_gram(gray_features) - _gram(features)).abs().mean()
            + recipe.color_weight * _color(photo, made)
            + recipe.tv_weight * _variation(made)
            + recipe.generator_adversarial_weight * adversarial
        )

    def _update(self, adam, loss):
        for one in self.adam:
            one.zero_grad()
        loss.backward()
        adam.step()


def torch_step(folder, side, batch, threads, bfloat16):
    """One update on noise; the generator from the `description` in `folder`."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    step = _Step(*description.load(Path(folder, DESCRIPTION)), bfloat16)
    photo, *others = torch.rand(4, batch, side, side, 3) * 2 - 1
    images = [image.permute(0, 3, 1, 2) for image in others]
    return Timed(lambda: step(photo, *images))
