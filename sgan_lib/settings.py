"""The settings of a run. Each value's default, bounds, unit and origin stand at its field, and nowhere else.

A network's recipe (`networks`) says where training that network deviates from these defaults, and nothing more.
"""

from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from functools import partial
from typing import Any

from sgan_lib.losses import NORMS
from sgan_lib.runtime import check_choice, check_flag, check_number, check_whole_number

PRESETS: dict[str, str] = {  # a budget -> what it is for; `networks` has the steps of each
    "quick": "a first look: seconds on a laptop's CPU",
    "standard": "the course's own figures: up to 10 minutes a run",
    "paper": "nearest to what was published, at each network's row: hours",
}
PRECISIONS = ("float32", "bfloat16", "mixed")
LARGEST_SEED = 2**32 - 1  # numpy's RandomState takes words of 32 bits


def _setting(check: Callable[..., Any], default: Any, unit: str, origin: str, **allowed: Any) -> Any:
    """A field whose values must pass `check` with what is allowed; `unit` and `origin` are for the reader."""
    return field(default=default, metadata={"check": partial(check, **allowed), "unit": unit, "origin": origin})


_choice, _flag = partial(_setting, check_choice), partial(_setting, check_flag)
_number, _whole = partial(_setting, check_number), partial(_setting, check_whole_number)


@dataclass(frozen=True)
class Settings:
    """Everything that determines a run. `experiments.resolve` fills in what is not given.

    Raises ValueError or TypeError for a value outside its field's bounds: the field, the value, what is allowed.
    """

    method: str = _choice(MISSING, "one of methods.METHODS or baselines.BASELINES", "chosen")
    dataset: str = _choice(MISSING, "one of data.DATASETS, or a name of your own data", "chosen")
    n_labels: int = _whole(MISSING, "labelled training images", "chosen", at_least=1)
    seed: int = _whole(MISSING, "of weights, batches and noise", "chosen", at_least=0, at_most=LARGEST_SEED)
    split_seed: int = _whole(MISSING, "of which images are labelled", "chosen", at_least=0, at_most=LARGEST_SEED)
    preset: str = _choice(MISSING, "budget", "chosen", allowed=PRESETS)
    network: str = _choice(MISSING, "one of networks.NETWORKS, 'own' or 'none'", "chosen")
    steps: int = _whole(MISSING, "moves of each player", "network and preset", at_least=1, at_most=10**8)
    batch_size: int = _whole(64, "unlabelled images a step, and generated ones", "ours", at_least=2, at_most=65536)
    labelled_batch_size: int = _whole(64, "labelled images a step", "ours", at_least=1, at_most=65536)
    learning_rate: float = _number(1e-3, "of Adam, for both players", "ours", above=0)
    hold: float = _number(0.5, "share of the steps at full rate; then it falls to 0", "ours", at_most=1)
    last_rate: float = _number(0.0, "share of the rate to fall to exponentially; 0: linearly", "ours", at_most=1)
    beta1: float = _number(0.5, "of Adam", "Radford 2016, §4; Salimans 2016, code", at_most=0.999999)
    beta2: float = _number(0.999, "of Adam", "Adam's own default", at_most=0.999999)
    epsilon: float = _number(1e-8, "of Adam, added to the root", "Adam's own default", above=0, at_most=1)
    generator_rate: float = _number(1.0, "over the discriminator's", "Salimans 2016, code; Dai 2017: a third", above=0)
    weight_decay: float = _number(0.0, "of Adam, added to the gradient", "Adam's own default", at_most=1)
    average_decay: float = _number(0.999, "of the average of weights, a step", "ours", at_most=0.999999)
    threads: int | None = _whole(None, "CPU threads; None: as they are", "ours", at_least=1, at_most=256)
    feature_norm: str = _choice("l2", "of feature matching", "Salimans 2016, MNIST code; l1 in SVHN's", allowed=NORMS)
    entropy_weight: float = _number(0.1, "of bad GAN's discriminator", "Dai 2017, SVHN code")
    pull_away_weight: float = _number(0.3, "of bad GAN's generator", "ours, trials on MNIST; Dai 2017: 0.8")
    asked_class_weight: float = _number(0.1, "of conditional SGAN's generator", "ours, trials on digits; Odena 2017: 1")
    fake_class_weight: float = _number(0.3, "of its discriminator", "ours, trials on digits; Odena 2017: 1")
    shift: int = _whole(0, "pixels that training images are moved by, at most", "ours", at_least=0)
    # Draw images from the pool alone, and use the labels of those that have one.
    label_mask: bool = _flag(False, "one mixed batch", "source 001")
    # The generator moves on the images that the discriminator has just seen, real and generated, and on the features
    # that it had of the real ones. False, as in Salimans' code: on other images, and their features are taken afresh.
    reuse: bool = _flag(True, "share the discriminator's images", "ours: an eighth of the time saved")
    adversarial_weight: float = _number(0.5, "of real or fake, beside 1 for the labels", "Salimans 2016, MNIST code")
    # In trials on digits (20, 50 or 100 labels, splits 100 to 102, 400 training images held out) no weight of 0.3 or 3
    # and no confidence of 0.8 or 0.99 gained more than 0.3 points; confidence 0 lost 2.4 with 50 labels.
    pseudo_label_weight: float = _number(1.0, "of the unlabelled term of pseudo_label", "Sohn 2020")
    consistency_weight: float = _number(1.0, "of the unlabelled term of consistency", "Sohn 2020")
    confidence: float = _number(0.95, "least probability of a pseudo-label", "Sohn 2020", at_most=1)
    # "mixed" leaves float32 to the last tanh of generators and encoders (`models.Tanh` says why).
    precision: str = _choice("float32", "of products", "torch; mixed: half the time on avx512_bf16", allowed=PRECISIONS)

    def __post_init__(self) -> None:
        for each in fields(self):  # what a check returns is kept: numpy's numbers become Python's, which JSON knows
            if (value := getattr(self, each.name)) is not None or each.default is not None:
                object.__setattr__(self, each.name, each.metadata["check"](each.name, value))
