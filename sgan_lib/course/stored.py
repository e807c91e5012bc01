"""What the course has stored: tables of runs, published figures, trained networks."""

from pathlib import Path
from typing import NamedTuple, cast

import pandas as pd
from torch import nn

from sgan_lib.models import ASSETS, DCGANGenerator, Encoder, Generator, ReLUGenerator, load_weights


def course_file(folder: str, name: str) -> Path:
    """A file of `figures/` or `notebooks/`, in the checkout or, where the library is installed alone, in the package.

    Raises:
        FileNotFoundError: where there is no such file.
    """
    package = Path(__file__).resolve().parents[1]
    candidates = [package.parent / folder / name, package / folder / name]
    for path in candidates:
        if path.is_file():
            return path
    raise FileNotFoundError(f"no file {name!r} of {folder}: looked for {candidates[0]} and {candidates[1]}")


def stored_table(name: str) -> pd.DataFrame:
    """A CSV of `figures/`, by file name: what a run of `make figures` measured.

    Raises:
        FileNotFoundError: where there is no such file.
    """
    return pd.read_csv(course_file("figures", name))


_PUBLISHED_AS = {"SGAN": "sgan", "CNN baseline": "supervised", "feature matching": "feature_matching",
                 "bad GAN": "bad_gan"}  # fmt: skip


def published_errors(dataset: str) -> pd.DataFrame:
    """Published test errors of our methods on a data set, from `figures/published.csv`, for `errors_by_labels`.

    Columns: method (our name), published_as, n_labels, test_error (a fraction in [0, 1]), spread and seeds (as
    published, or missing), status ("read" in the paper itself or "secondary"), source.
    """
    rows = stored_table("published.csv").query("dataset == @dataset and method in @_PUBLISHED_AS")
    error = (rows["value"] / 100).where(rows["metric"] == "error_percent", 1 - rows["value"])
    named = rows.assign(published_as=rows["method"], method=rows["method"].map(_PUBLISHED_AS), test_error=error)
    return named[["method", "published_as", "n_labels", "test_error", "spread", "seeds", "status", "source"]]


def conditional_generator() -> Generator:
    """A generator of MNIST's digits that takes the class to draw: method `conditional_sgan`, 100 labels, split 0.

    Each call gives a new copy. How it was trained, and how its samples are, stands in the file's metadata.

    Raises:
        ValueError: where the file is missing or damaged.
    """
    return cast(Generator, load_weights(_conditional_dcgan, ASSETS / "conditional_generator.safetensors"))


def _conditional_dcgan() -> Generator:
    generator = DCGANGenerator((1, 28, 28))
    generator.take_classes(10)
    return generator


class EncoderGenerator(NamedTuple):
    """The two networks of a BiGAN that are of use when it is trained."""

    encoder: Encoder
    generator: Generator


def bigan_pair() -> EncoderGenerator:
    """Encoder and generator of MNIST's digits: method `bigan`, network `bigan_mlp_small`, no labels.

    Each call gives new copies. How they were trained stands in the file's metadata.

    Raises:
        ValueError: where the file is missing or damaged.
    """
    both = cast(nn.ModuleDict, load_weights(_small_dense_pair, ASSETS / "bigan_pair.safetensors"))
    return EncoderGenerator(cast(Encoder, both["encoder"]), cast(Generator, both["generator"]))


def _small_dense_pair() -> nn.ModuleDict:
    shape, width, latent_dim = (1, 28, 28), 512, 50
    encoder = Encoder(shape, width, latent_dim)
    return nn.ModuleDict({"encoder": encoder, "generator": ReLUGenerator(shape, latent_dim, (width, width))})
