import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import Refusal
from core.startup import DEBIAN_PACKAGES, check_display, check_library, explain


@pytest.mark.parametrize(("library", "package"), DEBIAN_PACKAGES.items())
def test_that_a_missing_library_is_named_with_its_debian_package(library: str, package: str) -> None:
    error = ImportError(f"{library}: cannot open shared object file: No such file or directory")
    assert library in str(explain(error))
    assert str(explain(error)).endswith(f"apt install {package}.")


def test_that_an_unknown_library_is_still_named() -> None:
    error = OSError("libfuture.so.9: cannot open shared object file: No such file or directory")
    assert "libfuture.so.9 is missing" in str(explain(error))


def test_that_a_missing_python_package_is_named() -> None:
    error = ModuleNotFoundError("No module named 'pyqtgraph.colormap'", name="pyqtgraph.colormap")
    assert "package pyqtgraph is missing" in str(explain(error))


@pytest.mark.parametrize(
    "error",
    [
        ModuleNotFoundError("No module named 'core.nowhere'", name="core.nowhere"),
        ImportError("cannot import name 'x' from 'core.paths'"),
        OSError("something else"),
    ],
)
def test_that_mistakes_of_the_program_itself_are_not_explained_away(error: ImportError | OSError) -> None:
    with pytest.raises(type(error)) as caught:
        explain(error)
    assert caught.value is error


def test_that_a_missing_display_is_said_before_qt_aborts() -> None:
    with pytest.raises(Refusal, match="no display"):
        check_display({}, "linux")


@pytest.mark.parametrize(
    ("environment", "platform"),
    [({"QT_QPA_PLATFORM": "offscreen"}, "linux"), ({"WAYLAND_DISPLAY": "wayland-0"}, "linux"), ({}, "darwin")],
)
def test_that_a_window_is_allowed_where_there_is_a_place_for_it(environment: dict[str, str], platform: str) -> None:
    check_display(environment, platform)


def test_that_a_library_that_cannot_be_loaded_is_refused_by_name() -> None:
    with pytest.raises(Refusal, match=r"libnowhere\.so\.3 is missing"):
        check_library(Path("libnowhere.so.3"))
    check_library(None)


def test_that_a_model_opens_without_torchs_compiler() -> None:
    """It takes a second to import, and nothing here uses it."""
    code = (
        "import sys\n"
        "from core.model_folder import find_model, open_model\n"
        "assert open_model(find_model('digits'), 'cpu').network.wants_labels\n"
        "assert not {'torch._dynamo', 'torch._inductor', 'torch.distributed.tensor'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
