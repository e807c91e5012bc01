"""Checkers for the exercises: each says what is wrong with an answer, none gives the answer away.

In a notebook: `check("theory.initial_bias", initial_bias)`; `hint("theory.initial_bias")`; `progress()`; `reset()`.
"""

from sgan_lib.course.exercises import (  # noqa: F401  (each registers its checkers)
    bigan,
    bigan_moves,
    case_studies,
    conditional_sgan,
    debugging,
    feature_matching,
    gan_baseline,
    gan_loop,
    label_scarcity,
    more_defects,
    own_data,
    scaling,
    sgan,
    start,
    theory,
)
from sgan_lib.course.exercises.checking import CHECKERS, HINTS, check, checker, hint
from sgan_lib.course.exercises.overview import NOTEBOOKS, progress, reset
from sgan_lib.course.exercises.worked import WORKED, worked

__all__ = ["CHECKERS", "HINTS", "NOTEBOOKS", "WORKED", "check", "checker", "hint", "progress", "reset", "worked"]
