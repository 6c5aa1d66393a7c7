"""A VAR_DIR of its own for every test."""

import pytest

from config.run.layout import Layout


@pytest.fixture
def layout(tmp_path):
    layout = Layout(tmp_path / "var")
    layout.create()
    return layout
