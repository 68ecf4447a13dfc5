"""Where the outside test vectors stand; they are not part of the repository."""

from pathlib import Path

import pytest

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "vectors"


def needs_vectors(folder: str) -> pytest.MarkDecorator:
    """Skips, saying so, where the vectors are not beside the repository."""
    path = VECTORS / folder
    return pytest.mark.skipif(not path.is_dir(), reason=f"no test vectors in ../shared/vectors/{folder}")
