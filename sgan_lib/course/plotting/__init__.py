"""Figures from results. Every function returns a `Figure` and shows nothing; in a notebook, let it end the cell."""

from sgan_lib.course.plotting.errors import (
    curves,
    draw_errors_by_labels,
    errors_by_labels,
    errors_by_method,
    errors_in_panels,
    errors_in_rows,
    paired_differences,
)
from sgan_lib.course.plotting.games import game_losses, gan_scheme, sgan_scheme, snapshots
from sgan_lib.course.plotting.pictures import (
    confusion,
    decision_regions,
    filmstrip,
    image_grid,
    latent_pairs,
    samples_by_class,
    stored_figure,
)
from sgan_lib.course.plotting.style import (
    COLOURS,
    METHOD_STYLES,
    methods_in,
    new_figure,
    stroke_of,
    use_course_style,
)

__all__ = [
    "COLOURS", "METHOD_STYLES", "confusion", "curves", "decision_regions",
    "draw_errors_by_labels", "errors_by_labels", "errors_by_method", "errors_in_panels", "errors_in_rows", "filmstrip",
    "game_losses", "gan_scheme", "image_grid", "latent_pairs", "methods_in", "new_figure", "paired_differences",
    "samples_by_class", "sgan_scheme", "snapshots", "stored_figure", "stroke_of", "use_course_style",
]  # fmt: skip
