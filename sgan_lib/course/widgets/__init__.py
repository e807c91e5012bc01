"""Widgets for the notebooks, on what ipywidgets 7.7 (Colab) and 8 (JupyterLab 4) have in common.

A widget is a picture and its controls. The picture is a PNG in an `ipywidgets.Image`, so that it redraws in one piece
and looks the same everywhere. Questions (`predict`, `quiz`) are an anywidget, whose JavaScript is choices.js.
"""

from sgan_lib.course.widgets.class_explorer import class_explorer
from sgan_lib.course.widgets.label_explorer import label_explorer
from sgan_lib.course.widgets.latent_explorer import latent_explorer
from sgan_lib.course.widgets.predict import predict, reveal
from sgan_lib.course.widgets.quiz import quiz

__all__ = ["class_explorer", "label_explorer", "latent_explorer", "predict", "quiz", "reveal"]
