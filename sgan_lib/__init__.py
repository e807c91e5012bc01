"""The library under the course: semi-supervised learning with GANs, in small modules with one job each.

Start with `sgan_lib.experiments.run`; read `sgan_lib.methods` and `sgan_lib.training` to see what it does.
"""

from sgan_lib import compat as compat

__version__ = "0.1.0"
