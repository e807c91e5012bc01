"""The command line for images of one's own: python -m sgan_lib --help"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from sgan_lib.comparison import METHODS, compare, summarise
from sgan_lib.data import SemiSupervisedData, from_folder, image_files
from sgan_lib.estimator import SemiSupervisedClassifier
from sgan_lib.runtime import check_path, check_writable, parse_settings, refusals_as_lines, run_command, write_whole


def _command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sgan_lib", description="Classify images of which few have labels.")
    commands = parser.add_subparsers(dest="command", required=True)
    folder = argparse.ArgumentParser(add_help=False)
    folder.add_argument("folder", type=Path, help="one subfolder of images for each class, and one named unlabelled")
    folder.add_argument("--labels", type=Path, metavar="CSV", help="columns file, label; instead of subfolders")
    folder.add_argument("--image-size", type=int, help="side to bring images to (default: theirs, or 32)")
    folder.add_argument("--preset", default="quick", help="budget: quick, standard, paper (default: quick)")
    folder.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    folder.add_argument("--seed", type=int, default=0, help="of training")
    folder.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting, such as steps=500")
    fit = commands.add_parser("fit", parents=[folder], help="train on a folder and keep the classifier in a file")
    fit.add_argument("--out", type=Path, required=True, metavar="FILE", help="such as photos.safetensors")
    fit.add_argument("--method", default="sgan", help="as in sgan_lib.experiments.METHODS (default: sgan)")
    fit.add_argument("--network", default="auto", help="as in sgan_lib.networks.NETWORKS (default: auto)")
    fit.add_argument("--checkpoint", type=Path, metavar="FILE", help="go on from it after a stop")
    fit.add_argument("--balanced", action="store_true", help="see every class equally often, however few its labels")
    predict = commands.add_parser("predict", help="print file, class and probability of each image as CSV")
    predict.add_argument("file", type=Path, help="what fit has written")
    predict.add_argument("images", type=Path, nargs="+", help="files, or folders of them")
    table = commands.add_parser("compare", parents=[folder], help="measure methods by cross-validation on the labels")
    table.add_argument("--methods", nargs="+", help=f"default: {' '.join(METHODS)}")
    table.add_argument("--folds", type=int, default=5, help="5 by default")
    table.add_argument("--features", type=Path, metavar="FILE", help="weights of one of torchvision's networks")
    table.add_argument("--out", type=Path, metavar="CSV", help="write one row per method and fold, as each is there")
    return parser


def _fit(options: argparse.Namespace) -> None:
    parts = _read(options)
    classifier = SemiSupervisedClassifier(
        options.method, options.network, options.preset, parse_settings(options), device=options.device, progress=True,
        random_state=options.seed, checkpoint=options.checkpoint, class_weight="balanced" if options.balanced else None,
    ).fit(parts)  # fmt: skip
    classifier.save(options.out)
    print(f"{options.out}: {options.method}, {classifier.result_.settings.steps:,} steps")
    if (error := classifier.result_.test_error) is not None:
        print(f"error on the {len(parts.test.labels)} images of the folder's test: {error:.1%}")


def _predict(options: argparse.Namespace) -> None:
    classifier = SemiSupervisedClassifier.load(options.file)
    paths = [check_path("images", path) for path in options.images]
    files = [file for path in paths for file in (image_files(path) if path.is_dir() else [path])]
    table = pd.DataFrame(shares := classifier.predict_proba(files), columns=classifier.classes_)
    table.insert(0, "file", [str(file) for file in files], allow_duplicates=True)  # a class may have that name
    table.insert(1, "label", classifier.classes_[shares.argmax(axis=1)], allow_duplicates=True)
    table.to_csv(sys.stdout, index=False, float_format="%.4f")


def _compare(options: argparse.Namespace) -> None:
    parts = _read(options)
    rows: list[dict[str, Any]] = []
    try:
        for row in compare(parts, options.methods, options.folds, options.features, preset=options.preset,
                           seed=options.seed, device=options.device, **parse_settings(options)):  # fmt: skip
            rows.append(row)
            print(f"fold {row['fold']}, {row['method']}: error {row['error']:.1%}, {row['seconds']:.0f} s", flush=True)
            if options.out is not None:
                write_whole(options.out, pd.DataFrame(rows).to_csv(index=False))
    finally:  # also of a comparison that was stopped
        if rows:
            print(summarise(pd.DataFrame(rows), options.folds).round(1).to_string())


def _read(options: argparse.Namespace) -> SemiSupervisedData:
    if options.out is not None and check_writable("--out", options.out).exists():
        raise ValueError(f"--out must be a new file, so that nothing is overwritten; {options.out} is there")
    parts = from_folder(options.folder, labels=options.labels, image_size=options.image_size, test=0)
    print(parts)
    return parts


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns 0, or 2 where the request is refused."""
    options = _command_line().parse_args(arguments)
    commands = {"fit": _fit, "predict": _predict, "compare": _compare}
    return refusals_as_lines(lambda: commands[options.command](options) or 0)


if __name__ == "__main__":
    sys.exit(run_command(main))
