"""The game of a GAN: who gives what to whom, and where generated points lie while it is played."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch
from torch import Tensor

from sgan_lib.course.plotting.style import COLOURS, add_title, new_figure

_BOX: dict[str, Any] = {"boxstyle": "round,pad=0.02", "linewidth": 2, "facecolor": "white"}


Point = tuple[float, float]


def _players(
    size: Point, bottom: float, boxes: Mapping[str, Point], arrows: Sequence[tuple[Point, Point]],
    data: Mapping[str, Point],
) -> tuple[Figure, Axes]:  # fmt: skip
    """A figure of `size` inches with both networks as boxes, named data, and the arrows between them."""
    figure, axes = new_figure(*size)
    panel = axes[0, 0]
    panel.set(xlim=(0, size[0]), ylim=(bottom, size[1]))
    panel.set_axis_off()
    for name, (x, y) in boxes.items():
        colour = COLOURS["vermilion" if name == "G" else "blue"]
        panel.add_patch(FancyBboxPatch((x, y), 1.0, 0.6, edgecolor=colour, **_BOX))
        panel.text(x + 0.5, y + 0.3, name, ha="center", va="center", color=colour, fontsize=16, weight="bold")
    for start, end in arrows:
        _arrow(panel, start, end, color="black")
    for text, (x, y) in data.items():
        panel.text(x, y, text, ha="center", va="center")
    return figure, panel


def gan_scheme(title: str) -> Figure:
    """From latent to logit: boxes are networks, arrows data; dashed arrows lead each loss back to the player it moves.

    The discriminator and its step are blue, the generator and its step vermilion, and data black.
    """
    blue, red = COLOURS["blue"], COLOURS["vermilion"]
    arrows = [((0.7, 1.25), (1.3, 1.25)), ((2.4, 1.25), (2.8, 1.25)), ((3.75, 1.25), (4.3, 1.5)),
              ((3.75, 2.1), (4.3, 1.8)), ((5.4, 1.65), (5.8, 1.65))]  # fmt: skip
    data = {"latent\nz": (0.35, 1.25), "generated\nG(z)": (3.27, 1.25), "real\nx": (3.27, 2.15), "logit": (6.12, 1.65)}
    figure, panel = _players((8.0, 2.9), 0.1, {"G": (1.35, 0.95), "D": (4.35, 1.35)}, arrows, data)
    _way_back(panel, [(6.12, 1.9), (6.12, 2.45), (4.85, 2.45), (4.85, 2.0)], blue)
    through_d = [(6.12, 1.4), (6.12, 1.1), (5.15, 1.1), (5.15, 1.45), (4.55, 1.45), (4.55, 0.5)]
    _way_back(panel, [*through_d, (1.85, 0.5), (1.85, 0.9)], red)
    panel.text(6.25, 2.3, "D's step:\ntell them apart", color=blue, va="center")
    panel.text(6.25, 0.75, "G's step:\nbe called real", color=red, va="center")
    return add_title(figure, title)


def sgan_scheme(title: str, two_heads: bool = False, data_are: str = "points") -> Figure:
    """From three streams to two answers: generated, unlabelled and labelled points, one discriminator, K logits.

    The colours are those of `gan_scheme`: dashed arrows lead each answer's losses back to the player that learns. With
    `two_heads` the second answer has a logit of its own. `data_are` says what D judges.
    """
    blue, red = COLOURS["blue"], COLOURS["vermilion"]
    data = {"latent\nz": (0.35, 1.1), "generated\nG(z)": (3.15, 1.1), "unlabelled\nx": (3.15, 1.9),
            "labelled\nx, y": (3.15, 2.7), "softmax:\nwhich class?": (7.95, 2.5)}  # fmt: skip
    arrows = [((0.65, 1.1), (1.15, 1.1)), ((2.25, 1.1), (2.55, 1.1)), ((3.75, 1.1), (4.35, 1.75)),
              ((3.75, 1.9), (4.35, 1.9)), ((3.75, 2.7), (4.35, 2.05))]  # fmt: skip
    if two_heads:
        data |= {"K logits": (6.3, 2.5), "1 logit": (6.3, 1.25), "sigmoid:\nreal or generated?": (7.95, 1.25)}
        arrows += [((5.45, 2.05), (5.85, 2.4)), ((5.45, 1.75), (5.9, 1.35)), ((6.75, 2.5), (7.2, 2.5)),
                   ((6.7, 1.25), (7.1, 1.25))]  # fmt: skip
    else:
        data |= {"K logits": (6.18, 1.9), "log-sum-exp:\nreal or generated?": (7.95, 1.25)}
        arrows += [((5.45, 1.9), (5.75, 1.9)), ((6.6, 2.05), (7.0, 2.35)), ((6.6, 1.75), (7.0, 1.4))]
    figure, panel = _players((9.5, 3.7), 0.0, {"G": (1.2, 0.8), "D": (4.4, 1.6)}, arrows, data)
    panel.plot([8.75, 9.25], [2.5, 2.5], color=blue, linestyle="dashed", linewidth=1.3)
    _way_back(panel, [(9.0, 1.25), (9.25, 1.25), (9.25, 3.3), (4.9, 3.3), (4.9, 2.25)], blue)
    _way_back(panel, [(7.95, 0.95), (7.95, 0.35), (1.7, 0.35), (1.7, 0.75)], red)
    panel.text(6.4, 3.02, "D learns from all three streams", color=blue, va="center", ha="center")
    panel.text(4.9, 0.6, f"G learns from its own {data_are} alone", color=red, va="center", ha="center")
    return add_title(figure, title)


def _arrow(panel: Axes, start: tuple[float, float], end: tuple[float, float], **style: Any) -> None:
    panel.annotate(
        "",
        end,
        start,
        arrowprops={"arrowstyle": "-|>", "linewidth": 1.3, "mutation_scale": 14, "shrinkA": 0, "shrinkB": 0} | style,
    )


def _way_back(panel: Axes, corners: Sequence[tuple[float, float]], colour: str) -> None:
    """A dashed line through these corners, with a head at its end."""
    panel.plot(*zip(*corners, strict=True), color=colour, linestyle="dashed", linewidth=1.3)
    _arrow(panel, corners[-2], corners[-1], color=colour, linestyle="none")


def snapshots(games: Mapping[str, Mapping[str, Tensor]], modes: Tensor, title: str) -> Figure:
    """Generated points among the modes of the data, which are circled: a row a game, a panel a moment.

    Args:
        games: name of the game -> name of the moment -> generated points [n, 2], of which 500 are drawn.
        modes: the centres of the data's modes [m, 2].
        title: the message.
    """
    columns = len(next(iter(games.values())))
    shown = [points[:500] for moments in games.values() for points in moments.values()]
    reach = max(points.abs().max().item() for points in [modes, *shown]) + 0.5
    figure, axes = new_figure(2.0 * columns + 0.4, 2.2 * len(games) + 0.3, len(games), columns)
    for row, (game, moments) in zip(axes, games.items(), strict=True):
        for panel, (moment, points) in zip(row, moments.items(), strict=True):
            for centre in modes.tolist():
                panel.add_patch(Circle(centre, 0.39, facecolor="none", edgecolor=COLOURS["grey"]))
            panel.scatter(*points[:500].T, s=2, color=COLOURS["vermilion"])
            panel.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[], aspect="equal")
            panel.set_title(moment, fontsize=9, weight="normal")
        row[0].set_ylabel(game)
    return add_title(figure, title)


def game_losses(history: Sequence[tuple[float, float]], title: str, points: int = 60) -> Figure:
    """The losses of D and G, round by round as pairs, in about `points` means; dotted, those of an undecided D."""
    width = max(1, len(history) // points)
    means = np.array([np.mean(history[i : i + width], axis=0) for i in range(0, len(history), width)])
    rounds = [min(i + width, len(history)) for i in range(0, len(history), width)]
    figure, axes = new_figure(7.5, 3.4)
    panel = axes[0, 0]
    for name, heights, colour in zip("DG", means.T, (COLOURS["blue"], COLOURS["vermilion"]), strict=True):
        undecided = math.log(2) * (2 if name == "D" else 1)
        panel.plot(rounds, heights, color=colour)
        panel.annotate(f"L_{name}", (rounds[-1], heights[-1]), xytext=(5, 0), textcoords="offset points", color=colour)
        panel.axhline(undecided, color=colour, linewidth=0.9, linestyle="dotted")
        place = (0, 3 if name == "D" else -12)
        panel.annotate(f"{undecided:.3f}", (rounds[-1] / 2, undecided), place, textcoords="offset points", color=colour)
    panel.set(xlabel="round", ylabel=f"loss, means of {width} rounds", ylim=(0, None), title=title)
    return figure
