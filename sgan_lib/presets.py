"""The settings of a run, and where their defaults come from: the network's recipe and the preset's budget."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from sgan_lib import data, losses, models
from sgan_lib.methods import METHODS, Weights
from sgan_lib.runtime import check_choice, check_flag, check_number, check_whole_number


@dataclass(frozen=True)
class Recipe:
    """How a pair of networks is trained, whatever the preset. The same for every method on that pair."""

    batch_size: int  # unlabelled images a step, and as many generated ones
    labelled_batch_size: int  # labelled images a step
    learning_rate: float  # of Adam, for both players
    hold: float = 0.5  # share of the steps at full rate; then it falls linearly to 0
    last_rate: float = 0.0  # above 0 it falls exponentially instead, to this share of the full rate
    beta1: float = 0.5  # Radford 2016, §4; Salimans 2016 and PyTorch-GAN too
    beta2: float = 0.999  # Adam's own default
    epsilon: float = 1e-8  # of Adam, added to the root of the mean squared gradient; its own default
    generator_rate: float = 1.0  # the generator's learning rate, as a multiple of the discriminator's
    weight_decay: float = 0.0  # of Adam, added to the gradient: Donahue 2016 has 2.5e-5
    average_decay: float = 0.999  # Salimans 2016 has 0.9999 over 180,000 steps; runs here are shorter
    threads: int | None = None  # CPU threads; small networks are faster on one
    feature_norm: str = "l2"  # of feature matching: "l2" in Salimans' MNIST code, "l1" in his SVHN code
    entropy_weight: float = 0.1  # of bad GAN's discriminator: Dai's SVHN code
    pull_away_weight: float = 0.3  # of bad GAN's generator: ours, from trials on MNIST
    class_weight: float = 0.1  # of conditional SGAN's generator: ours, from trials on digits and MNIST
    fake_class_weight: float = 0.3  # of its discriminator: the same


@dataclass(frozen=True)
class Preset:
    """A budget: how many steps each pair of networks is trained, and what else differs from the recipes."""

    purpose: str
    steps: Mapping[str, int]
    networks: Mapping[str, str] = field(default_factory=dict)  # data set -> network, where it is not the default one
    bigan_networks: Mapping[str, str] = field(default_factory=dict)  # the same for BiGAN
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # network -> settings


RECIPES: dict[str, Recipe] = {
    # Salimans 2016, code for MNIST. Ours, from trials on splits 100 and 101 with 10,000 training images held out: the
    # decay to 0, half of the labelled images, a shorter memory of squared gradients, and above all a generator that
    # learns at a third of the discriminator's rate.
    "mlp": Recipe(100, 50, 3e-3, hold=0.75, beta2=0.99, generator_rate=1 / 3),
    # Salimans 2016, code for MNIST, under every preset. There the average starts at zero; here it is corrected for its
    # start. His Adam has ε = 1e-8 under the root, which is about 1e-4 after it.
    "mlp_published": Recipe(100, 100, 3e-3, hold=1.0, epsilon=1e-4, average_decay=0.9999),
    "mlp_small": Recipe(100, 50, 3e-3, hold=0.75, beta2=0.99, generator_rate=1 / 3),
    "mlp_digits": Recipe(64, 64, 2e-3, threads=1),  # ours, from trials on other splits
    "mlp_2d": Recipe(64, 16, 3e-3, average_decay=0.99, threads=1),  # ours: half the cost of 128 points at 2e-3
    "dcgan": Recipe(32, 32, 1e-3, average_decay=0.99),  # ours: more and smaller steps; beside Radford 2016, §4
    "upsample": Recipe(64, 64, 2e-4, hold=1.0),  # PyTorch-GAN sgan.py
    # Salimans 2016, code for SVHN; the pull-away term's weight: Dai 2017, code for SVHN
    "svhn": Recipe(100, 100, 3e-4, hold=2 / 3, feature_norm="l1", pull_away_weight=0.8),
    # ours, from trials on the validation part of split 100: feature matching learns at 1e-3, not at 3e-3 (batch 25)
    "svhn_small": Recipe(32, 32, 1e-3, average_decay=0.99, feature_norm="l1", pull_away_weight=0.8),
    "cnn": Recipe(64, 64, 1e-3),  # ours
    "bigan_mlp": Recipe(128, 1, 2e-4, weight_decay=2.5e-5),  # Donahue 2016, code; labels are not used
    "bigan_mlp_small": Recipe(128, 1, 2e-4, weight_decay=2.5e-5),
    "bigan_digits": Recipe(64, 1, 5e-4, threads=1),  # ours, from trials on training images held out
    "bigan_conv": Recipe(128, 1, 2e-4, weight_decay=2.5e-5),
}

_STEPS = {  # steps under quick, standard, paper
    "mlp": (600, 24_000, 180_000),  # 300 epochs of 600 steps: Salimans 2016
    "mlp_published": (600, 24_000, 100_000),  # Salimans 2016: 180,000, at one rate; ours falls (below)
    "mlp_small": (600, 24_000, 180_000),
    "mlp_digits": (1500, 3000, 3000),
    "mlp_2d": (1000, 4000, 4000),
    "dcgan": (600, 3000, 187_500),  # 100 epochs
    "upsample": (200, 3000, 187_600),  # 200 epochs of 938: PyTorch-GAN
    "svhn": (600, 12_000, 658_800),  # 900 epochs of 732: Salimans 2016; for a GPU, a step takes seconds on a CPU
    "svhn_small": (600, 4000, 658_800),  # as many
    "cnn": (600, 3000, 93_800),  # 100 epochs
    "bigan_mlp": (300, 14_000, 187_600),  # 400 epochs of 469: Donahue 2016
    "bigan_mlp_small": (600, 30_000, 187_600),
    "bigan_digits": (2000, 4000, 4000),
    "bigan_conv": (300, 10_000, 187_600),
}

PRESETS: dict[str, Preset] = {
    name: Preset(purpose, {network: steps[place] for network, steps in _STEPS.items()})
    for place, (name, purpose) in enumerate([
        ("quick", "a first look: seconds on a laptop's CPU"),  # what fits into the minute that a notebook has
        ("standard", "the course's own figures: up to 10 minutes a run"),
        ("paper", "the published networks and settings: as long as they need"),
    ])
}  # fmt: skip
PRESETS["paper"] = replace(
    PRESETS["paper"],
    networks={"mnist": "mlp_published"},
    bigan_networks={"mnist": "bigan_mlp"},
    changes={
        "mlp": asdict(RECIPES["mlp_published"]),
        "mlp_published": {"hold": 0.75},  # ours, so that a run fits into 40 minutes
        "bigan_mlp": {"last_rate": 0.01},  # Donahue 2016, code; there the last weights are used, not their average
    },
)

PRECISIONS = ("float32", "bfloat16", "mixed")
DEFAULT_NETWORK = {"digits": "mlp_digits", "moons": "mlp_2d", "rings": "mlp_2d", "mnist_rgb": "svhn_small",
                   "svhn": "svhn", "cifar10": "svhn"}  # every other set: "mlp_small"  # fmt: skip
BIGAN_NETWORK = dict.fromkeys(("digits", "moons", "rings"), "bigan_digits")  # every other set: "bigan_mlp_small"


_WHOLE_NUMBERS = {"n_labels": 1, "steps": 1, "batch_size": 2, "labelled_batch_size": 1, "seed": 0, "split_seed": 0,
                  "shift": 0}  # fmt: skip
_NUMBERS: dict[str, dict[str, float]] = {
    "learning_rate": {"above": 0},
    "adversarial_weight": {},
    "entropy_weight": {},
    "pull_away_weight": {},
    "pseudo_label_weight": {},
    "consistency_weight": {},
    "confidence": {"at_most": 1},
    "class_weight": {},
    "fake_class_weight": {},
    "generator_rate": {"above": 0},
    "hold": {"at_most": 1},
    "last_rate": {"at_most": 1},
    "weight_decay": {"at_most": 1},
    "beta1": {"at_most": 0.999999},
    "beta2": {"at_most": 0.999999},
    "epsilon": {"above": 0, "at_most": 1},
    "average_decay": {"at_most": 0.999999},
}


@dataclass(frozen=True)
class Settings:
    """Everything that determines a run. Values that are not given come from the preset and the network's recipe."""

    method: str
    dataset: str
    n_labels: int
    seed: int  # initial weights, batches, noise
    split_seed: int  # which images are labelled
    preset: str
    network: str
    steps: int
    batch_size: int
    labelled_batch_size: int
    learning_rate: float
    hold: float
    last_rate: float
    beta1: float
    beta2: float
    epsilon: float
    generator_rate: float
    weight_decay: float
    average_decay: float
    threads: int | None
    feature_norm: str  # "l1" or "l2"; feature matching and bad GAN only
    entropy_weight: float  # bad GAN only
    pull_away_weight: float  # bad GAN only
    class_weight: float  # conditional SGAN only
    fake_class_weight: float  # conditional SGAN only
    shift: int = 0  # random shifts of training images by up to so many pixels
    label_mask: bool = False  # draw images from the pool alone, and use the labels of those that have one (source 001)
    # The generator moves on the discriminator's images, real and generated, and on the features that it had of the real
    # ones: an eighth of the time saved. False, as in Salimans 2016, code: on other images, and it is asked afresh.
    reuse: bool = True
    adversarial_weight: float = Weights.adversarial
    # Of `pseudo_label` and `consistency`, for every network: FixMatch's values for small images. In trials on digits
    # (20, 50 or 100 labels, splits 100 to 102, 400 training images held out) no weight of 0.3 or 3 and no confidence of
    # 0.8 or 0.99 gained more than 0.3 points; pseudo-labels for every image (confidence 0, 50 labels) lost 2.4.
    pseudo_label_weight: float = Weights.pseudo_label
    consistency_weight: float = Weights.consistency
    confidence: float = Weights.confidence  # the least probability that makes a pseudo-label
    # "bfloat16" takes half the time where the processor has instructions for it; so does "mixed", which leaves float32
    # to the last tanh of generators and encoders (`models.Tanh` says why).
    precision: str = "float32"

    def __post_init__(self) -> None:
        check_choice("method", self.method, METHODS)
        check_choice("dataset", self.dataset, data.DATASETS)
        check_choice("network", self.network, models.NETWORKS)
        # What the checks return is kept: numpy's numbers become Python's, which JSON knows.
        for name, least in _WHOLE_NUMBERS.items():
            most = 2**32 - 1 if "seed" in name else None
            object.__setattr__(self, name, check_whole_number(name, getattr(self, name), least, most))
        if self.threads is not None:
            object.__setattr__(self, "threads", check_whole_number("threads", self.threads, at_least=1))
        check_choice("feature_norm", self.feature_norm, losses.NORMS)
        check_choice("precision", self.precision, PRECISIONS)
        check_flag("label_mask", self.label_mask)
        check_flag("reuse", self.reuse)
        self._check_method()
        for name, bounds in _NUMBERS.items():
            object.__setattr__(self, name, check_number(name, getattr(self, name), **bounds))

    def _check_method(self) -> None:
        """Raise ValueError where the method cannot do with these networks or this data set."""
        method = METHODS[self.method]
        if method.strong_view and self.dataset in data.POINTS:
            raise ValueError(f"method {self.method!r} needs images that it can augment; {self.dataset!r} holds points")
        if method.encoder != (self.network in models.WITH_ENCODER):
            needed = "a network with an encoder, 'bigan_…'" if method.encoder else "a network without an encoder"
            raise ValueError(f"method {self.method!r} needs {needed}; got network {self.network!r}")
        if method.generator_terms is not None and self.network in models.WITHOUT_GENERATOR:
            raise ValueError(f"method {self.method!r} needs a network with a generator; {self.network!r} has none")

    @classmethod
    def resolve(cls, method: str, dataset: str, preset: str, **given: Any) -> "Settings":
        """Fill in what is not given.

        Raises:
            ValueError, TypeError: naming the argument, the value and what is allowed.
        """
        check_choice("method", method, METHODS)
        check_choice("dataset", dataset, data.DATASETS)
        check_choice("preset", preset, PRESETS)
        known = [f.name for f in fields(cls)]
        for name in given:
            if name not in known:
                raise ValueError(f"run has no argument {name!r}; the settings it takes are {', '.join(known)}")
        chosen = PRESETS[preset]
        if METHODS[method].encoder:
            default = chosen.bigan_networks.get(dataset, BIGAN_NETWORK.get(dataset, "bigan_mlp_small"))
        else:
            default = chosen.networks.get(dataset, DEFAULT_NETWORK.get(dataset, "mlp_small"))
        network = check_choice("network", given.pop("network", default), models.NETWORKS)
        preset_values = {"steps": chosen.steps[network]} | dict(chosen.changes.get(network, {}))
        values = asdict(RECIPES[network]) | preset_values | given
        return cls(method=method, dataset=dataset, preset=preset, network=network, **values)
