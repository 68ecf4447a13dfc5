"""The running application of the desktop's tests, for every file of them."""

from tests.dashboards.desktop import bare, running

__all__ = ["bare", "running"]
