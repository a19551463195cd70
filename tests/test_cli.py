"""The command line as a person meets it: exit codes, one line of words, files."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from core.classifier_folder import open_classifier
from core.cli import COMMANDS
from tests.conftest import Result

ROOT = Path(__file__).resolve().parent.parent


def refused(result: Result) -> str:
    """The one line of a refusal."""
    code, out, err = result
    assert code == 2, err
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("diffuscope: ")
    return err


# ------------------------------------------------------------------------------------------------ any command


def test_that_help_lists_every_command(command) -> None:
    code, out, err = command("--help")
    assert (code, err) == (0, "")
    assert all(f"main.py {name} " in out for name in (*COMMANDS, "screenshots"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--frobnicate"], "no option --frobnicate"),
        (["sample"], "--model"),
        (["noise"], "IMAGE"),
        (["train"], "FOLDER"),
        (["screenshots"], "one folder"),
        (["noise", "cat", "--t", "1", "--out", "a.png", "--frobnicate"], "--frobnicate"),
        (["noise", "cat", "--t", "1", "--out", "a.png", "--seed", "-1"], "-1"),
        (["noise", "cat", "--t", "1,x", "--out", "a.png"], "'x'"),
        (["noise", "cat", "--t", "", "--out", "a.png"], "whole number"),
        (["noise", "cat", "--t", "1000", "--out", "a.png"], "0 to 999"),
        (["noise", "cat", "--t", "1", "--schedule", "square", "--out", "a.png"], "square"),
        (["noise", "cat", "--t", "1", "--out", "a.jpg"], ".png"),
        (["noise", "cat", "--t", "1", "--out", "missing/a.png"], "does not exist"),
        (["noise", "cat", "--t", "1", "--out", "."], "folder"),
        (["noise", "nobody.png", "--t", "1", "--out", "a.png"], "not there"),
        (["noise", ".", "--t", "1", "--out", "a.png"], "is a folder"),
        (["sample", "--model", "nobody", "--out", "a.png"], "nobody"),
        (["sample", "--model", "nobody"], "--out"),
        (["sample", "--model", "nobody", "--out", "a.png", "-n", "0"], "'0'"),
        (["sample", "--model", "nobody", "--out", "a.png", "--guidance", "nan"], "'nan'"),
        (["sample", "--model", "nobody", "--out", "a.png", "--eta", "2"], "between 0 and 1"),
        (["sample", "--model", "nobody", "--out", "a.png", "--spacing", "odd"], "'odd'"),
        (["train", "nowhere", "--out", "run", "--steps", "1"], "not a folder"),
        (["sample", "--model", "~nobody", "--out", "a.png"], "~nobody"),
        (["sample", "--model", "m" * 5000, "--out", "a.png"], "no model"),
        (["sample", "--model", "digits", "--out", "o" * 300 + ".png"], "too long"),
        (["noise", "i" * 5000, "--t", "1", "--out", "a.png"], "too long"),
        (["train", "f" * 5000, "--out", "run", "--steps", "1"], "not a folder"),
        (["train", "nowhere", "--out", "run", "--steps", "1", "--minutes", "1"], "not allowed with"),
    ],
)
def test_that_what_cannot_be_done_is_one_line_and_exit_code_2(command, arguments: list[str], words: str) -> None:
    assert words in refused(command(*arguments))


def test_that_a_mistake_of_the_program_is_one_line_and_its_traceback_is_in_the_log(
    command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import core.cli.noise

    monkeypatch.setattr(core.cli.noise, "strip", lambda pictures: 1 // 0)
    code, out, err = command("noise", "cat", "--t", "1", "--out", "a.png")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "Traceback" in (tmp_path / "home" / "log" / "command-line.log").read_text()


def test_that_ctrl_c_ends_with_130_and_one_word(command, monkeypatch: pytest.MonkeyPatch) -> None:
    import core.cli.noise

    def interrupt(pictures: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(core.cli.noise, "strip", interrupt)
    assert command("noise", "cat", "--t", "1", "--out", "a.png") == (130, "", "diffuscope: stopped\n")


def test_that_a_missing_display_is_one_line(command, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert "no display" in refused(command())


def test_that_a_missing_package_is_one_line(command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    monkeypatch.setitem(sys.modules, "app.application", None)
    monkeypatch.setitem(sys.modules, "PIL", None)
    for name in [name for name in sys.modules if name.startswith("core.cli.noise") or name == "core.images"]:
        monkeypatch.delitem(sys.modules, name)
    assert "PIL is missing" in refused(command("noise", "cat", "--t", "1", "--out", "a.png"))


# ------------------------------------------------------------------------------------------------ noise


def test_that_noise_is_the_closed_form_with_one_noise_for_every_t(command, picture: Path) -> None:
    code, out, err = command("noise", picture, "--t", "0,500,999", "--seed", "3", "--out", "strip.png")
    assert (code, err) == (0, "")
    assert "strip.png" in out
    torch = pytest.importorskip("torch")
    noise = torch.randn((3, 12, 20), generator=torch.Generator().manual_seed(3)).numpy().transpose(1, 2, 0)
    x0 = np.asarray(Image.open(picture)) / 127.5 - 1
    strip = np.asarray(Image.open("strip.png"))
    assert strip.shape == (12, 3 * 20 + 2 * 2, 3)
    betas = np.linspace(1e-4, 0.02, 1000)
    for index, t in enumerate((0, 500, 999)):
        alpha_bar = np.prod(1 - betas[: t + 1])
        x_t = np.sqrt(alpha_bar) * x0 + np.sqrt(1 - alpha_bar) * noise
        expected = np.clip((x_t + 1) * 127.5, 0, 255)
        assert np.abs(strip[:, index * 22 : index * 22 + 20] - expected).max() < 0.51


def test_that_noise_reports_the_request_and_its_levels_as_json(command, picture: Path) -> None:
    code, out, _ = command("noise", picture, "--t", "10,20", "--schedule", "cosine", "--out", "strip.png", "--json")
    result = json.loads(out)
    assert code == 0
    assert result["request"]["schedule"]["name"] == "cosine"
    assert result["request"]["timesteps"] == [10, 20]
    f = [np.cos((t / 1000 + 0.008) / 1.008 * np.pi / 2) ** 2 for t in (0, 11, 21)]
    assert [level["alpha_bar"] for level in result["levels"]] == pytest.approx([f[1] / f[0], f[2] / f[0]])
    assert str(picture.parent) not in json.dumps(result["request"])


def test_that_transparency_is_put_on_white_before_noise(command, tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / "glass.png")
    assert command("noise", "glass.png", "--t", "0", "--out", "strip.png")[0] == 0
    assert np.asarray(Image.open("strip.png")).min() > 240


def test_that_noise_needs_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys, main\n"
        "assert main.main(['noise', 'cat', '--t', '5,6', '--out', 'strip.png']) == 0\n"
        "assert 'torch' not in sys.modules"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "strip.png").exists()


# ------------------------------------------------------------------------------------------------ sample


def plain_ddim(model: Path, labels: list[int], w: float, timesteps: list[int], seed: int) -> np.ndarray:
    """DDIM with eta 0 (Song et al. 2021, eq. 12) and clamped x0_hat, written down as it stands in the paper."""
    import torch

    from core.model_folder import open_model

    network = open_model(model).network
    alpha_bar = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0)
    x = torch.randn((len(labels), 1, 8, 8), generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        for t, t_next in zip(timesteps, [*timesteps[1:], None], strict=True):
            now = alpha_bar[t].item()
            after = 1.0 if t_next is None else alpha_bar[t_next].item()
            times = torch.full((len(labels),), float(t))
            eps = network(x, times, torch.tensor(labels))
            if w:
                eps = (1 + w) * eps - w * network(x, times, torch.full((len(labels),), 3))
            x0 = ((x - (1 - now) ** 0.5 * eps) / now**0.5).clamp(-1, 1)
            x = after**0.5 * x0 + (1 - after) ** 0.5 * eps
    return x.numpy()


def test_that_samples_are_those_of_a_plain_loop(command, model: Path) -> None:
    code, out, err = command(
        "sample", "--model", model, "--label", "dog,cat,none", "--guidance", 1.5, "--sampler", "ddim", "--steps", 5,
        "--seed", 7, "-n", 3, "--out", "grid.png", "--npy", "x.npy", "--precision", "float32", "--device", "cpu",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert "grid.png and x.npy" in out
    x = np.load("x.npy")
    expected = plain_ddim(model, [1, 0, 3], 1.5, [800, 600, 400, 200, 0], seed=7)
    assert x.dtype == np.float32
    assert x == pytest.approx(expected, abs=1e-4)
    grid = np.asarray(Image.open("grid.png"))
    assert grid.shape == (18, 18)
    assert np.abs(grid[10:, :8] - np.clip((x[2, 0] + 1) * 127.5, 0, 255)).max() < 0.51


def sampled(command, model: Path, *options: object) -> tuple[dict, np.ndarray]:
    code, out, err = command("sample", "--model", model, "--npy", "x.npy", "--json", "--device", "cpu", *options)
    assert (code, err) == (0, "")
    return json.loads(out), np.load("x.npy")


def test_that_the_result_is_described_completely_and_without_paths(command, model: Path) -> None:
    result, x = sampled(command, model, "--label", "fish, raw", "--steps", 4, "--seed", 1, "-n", 2)
    request = result["request"]
    assert request["labels"] == [2, 2]
    assert request["timesteps"] == [750, 500, 250, 0]
    assert request["sampler"].items() >= {"name": "ddim", "eta": 0.0, "variance": "small", "clip": "clamp"}.items()
    assert request["precision"] in ("float32", "bfloat16")
    assert len(request["model"]["sha256"]) == 64
    assert str(model.parent) not in json.dumps(request)
    assert result["shape"] == [2, 1, 8, 8] == list(x.shape)
    assert result["device"] == "cpu"


def test_that_a_seed_decides_the_samples(command, model: Path) -> None:
    first, again, other = (
        sampled(command, model, "--steps", 3, "--sampler", "ddpm", "--seed", seed)[1] for seed in (1, 1, 2)
    )
    assert first.tobytes() == again.tobytes()
    assert not np.allclose(first, other)


@pytest.mark.parametrize(
    "options",
    [
        ("--sampler", "ddpm"),
        ("--sampler", "ddpm", "--variance", "large"),
        ("--eta", 1),
        ("--eta", 0.5),
        ("--spacing", "trailing"),
        ("--spacing", "log-snr"),
        ("--clip", "none"),
        ("--clip", "rederive"),
        ("--label", 1),
        ("--label", "cat", "--guidance", 2),
        ("--label", "cat", "--guidance", -1),
        ("--timesteps", "900,500,499,3"),
    ],
)
def test_that_every_option_changes_the_samples(command, model: Path, options: tuple[object, ...]) -> None:
    steps = () if "--timesteps" in options else ("--steps", 4)
    plain = sampled(command, model, "--label", "cat", "--steps", 4)[1]
    changed = sampled(command, model, *(() if "--label" in options else ("--label", "cat")), *steps, *options)[1]
    assert changed.shape == plain.shape
    assert not np.allclose(plain, changed, atol=1e-4)


def test_that_npy_is_not_clamped(command, model: Path) -> None:
    x = sampled(command, model, "--steps", 2, "--clip", "none", "-n", 4)[1]
    assert np.abs(x).max() > 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--label", "bird"), "cat, dog"),
        (("--label", "3"), "no label '3'"),
        (("--label", "cat,dog", "-n", 3), "2 labels for 3"),
        (("--steps", 1001), "between 1 and 1000"),
        (("--spacing", "trailing", "--timesteps", "3,2"), "--spacing"),
        (("--timesteps", "2,3"), "fall"),
        (("--timesteps", "9,3", "--steps", "3"), "--steps"),
        (("--timesteps", "1000,3"), "1000"),
        (("--sampler", "ddpm", "--eta", "1"), "DDIM"),
        (("--variance", "large"), "DDPM"),
        (("--device", "abacus"), "abacus"),
    ],
)
def test_that_runs_that_the_model_cannot_do_are_refused(
    command, model: Path, options: tuple[object, ...], words: str
) -> None:
    assert words in refused(command("sample", "--model", model, "--out", "a.png", *options))
    assert not Path("a.png").exists()


def test_that_a_folder_without_a_model_is_refused(command, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "not a model folder" in refused(command("sample", "--model", "empty", "--out", "a.png"))


def test_that_guidance_without_a_label_is_said_to_change_nothing(command, model: Path) -> None:
    code, _, err = command("sample", "--model", model, "--guidance", 1, "--steps", 2, "--out", "a.png")
    assert code == 0
    assert "changes nothing" in err


def test_that_progress_is_shown_on_standard_error_when_asked_for(command, model: Path) -> None:
    code, out, err = command("sample", "--model", model, "--steps", 3, "--out", "a.png", "--progress")
    assert code == 0
    assert "step 3/3" in err
    assert "step" not in out.replace("steps", "")


# ------------------------------------------------------------------------------------------------ train


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of four 8 × 8 grey pictures, and a file that is none."""
    rng = np.random.default_rng(0)
    for name in ("dark", "light"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for index in range(4):
            pixels = rng.integers(0, 100, (8, 8), dtype=np.uint8) + (150 if name == "light" else 0)
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "data" / name / f"{index}.png")
    (tmp_path / "data" / "light" / "broken.png").write_bytes(b"no picture")
    return tmp_path / "data"


def test_that_a_run_is_a_model_folder_and_goes_on_where_it_ended(command, folder: Path) -> None:
    base = ("train", folder, "--out", "run", "--size", 8, "--batch", 4, "--seed", 1, "--device", "cpu", "--json")
    code, out, err = command(*base, "--steps", 2, "--resume")
    assert code == 0
    assert json.loads(out)["step"] == 2
    assert "8 pictures in 2 classes" in err
    assert "broken.png" in err

    assert json.loads(command(*base, "--steps", 3, "--resume")[1])["step"] == 3
    code, out, _ = command("train", folder, "--out", "run", "--resume")
    assert code == 0
    assert "finished already, after 3 steps" in out

    code, out, _ = command("sample", "--model", "run", "--label", "light", "--steps", 2, "--out", "a.png", "--json")
    assert code == 0
    assert json.loads(out)["request"]["labels"] == [1]
    assert "--resume" in refused(command(*base, "--steps", 3))


def test_that_what_is_said_of_a_training_is_what_it_does(command, folder: Path) -> None:
    base = ("train", folder, "--size", 8, "--batch", 4, "--steps", 1, "--device", "cpu")
    code, _, _ = command(
        *base, "--out", "run", "--preset", "medium", "--lr", 0.003, "--flip", "--prediction", "eps", "--seed", 4
    )
    assert code == 0
    training = json.loads(Path("run/diffuscope.json").read_text())["provenance"]["training"]
    assert (training["lr"], training["flip"], training["prediction"], training["seed"]) == (0.003, True, "eps", 4)
    assert json.loads(Path("run/unet/config.json").read_text())["block_out_channels"] == [64, 128]
    resumed = ("train", folder, "--out", "run", "--resume", "--steps", 2)
    assert "its learning rate is 0.003" in refused(command(*resumed, "--lr", 0.01))
    assert "not the small one" in refused(command(*resumed, "--preset", "small"))
    assert command(*resumed, "--lr", 0.003, "--preset", "medium")[0] == 0


def test_that_the_objective_the_variance_and_the_schedule_are_those_that_are_said(command, folder: Path) -> None:
    base = ("train", folder, "--size", 8, "--batch", 4, "--steps", 1, "--device", "cpu")
    code, _, _ = command(
        *(*base, "--out", "run", "--schedule", "cosine", "--T", 4000, "--objective", "vlb", "--variance", "range"),
        *("--prediction", "eps", "--timestep-sampler", "loss_second_moment"),
    )
    assert code == 0
    training = json.loads(Path("run/diffuscope.json").read_text())["provenance"]["training"]
    assert (training["objective"], training["variance"], training["prediction"]) == ("vlb", "range", "eps")
    assert (training["schedule"]["name"], training["schedule"]["T"]) == ("cosine", 4000)
    assert training["timestep_sampler"] == "loss_second_moment"
    scheduler = json.loads(Path("run/scheduler/scheduler_config.json").read_text())
    assert (scheduler["beta_schedule"], scheduler["num_train_timesteps"]) == ("squaredcos_cap_v2", 4000)
    assert json.loads(Path("run/unet/config.json").read_text())["out_channels"] == 2
    resumed = ("train", folder, "--out", "run", "--resume", "--steps", 2)
    assert "its schedule is cosine with T = 4000" in refused(command(*resumed, "--schedule", "linear"))
    assert command(*resumed, "--variance", "range", "--T", 4000, "--schedule", "cosine")[0] == 0
    code, out, _ = command("sample", "--model", "run", "--label", 0, "--steps", 2, "--out", "a.png", "--json")
    assert code == 0
    assert json.loads(out)["request"]["schedule"]["T"] == 4000


def test_that_a_learned_variance_is_trained_with_the_hybrid_where_nothing_is_said(command, folder: Path) -> None:
    base = ("train", folder, "--size", 8, "--batch", 4, "--steps", 1, "--device", "cpu")
    assert command(*base, "--out", "run", "--variance", "diagonal")[0] == 0
    training = json.loads(Path("run/diffuscope.json").read_text())["provenance"]["training"]
    assert (training["objective"], training["variance"]) == ("hybrid", "diagonal")
    assert command("train", folder, "--from", "run", "--out", "more", "--batch", 4, "--steps", 1)[0] == 0
    training = json.loads(Path("more/diffuscope.json").read_text())["provenance"]["training"]
    assert (training["objective"], training["variance"]) == ("hybrid", "diagonal")


def test_that_a_run_ends_without_signal_where_that_is_asked(command, folder: Path) -> None:
    base = ("train", folder, "--size", 8, "--batch", 4, "--steps", 1, "--device", "cpu", "--zero-snr")
    assert command(*base, "--out", "run")[0] == 0
    assert json.loads(Path("run/scheduler/scheduler_config.json").read_text())["rescale_betas_zero_snr"] is True


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Two classes of twelve 8 × 8 grey pictures."""
    for name, value in (("dark", 30), ("light", 220)):
        (tmp_path / "many" / name).mkdir(parents=True)
        for index in range(12):
            Image.fromarray(np.full((8, 8), value + index, dtype=np.uint8)).save(tmp_path / f"many/{name}/{index}.png")
    return tmp_path / "many"


@pytest.mark.parametrize("clean", [False, True])
def test_that_a_classifier_is_trained_on_noise_or_on_clean_pictures(command, many: Path, clean: bool) -> None:
    base = ("train", many, "--size", 8, "--batch", 4, "--device", "cpu", "--classifier", "--schedule", "cosine")
    said = ("--clean",) if clean else ()
    assert command(*base, *said, "--out", "judge", "--steps", 2)[0] == 0
    classifier = open_classifier(Path("judge"))
    assert (classifier.info.labels, classifier.info.noisy) == (("dark", "light"), not clean)
    assert classifier.info.schedule.name == "cosine"
    resumed = ("train", many, "--out", "judge", "--resume", "--steps", 3)
    assert "classifier sees" in refused(command(*resumed, "--classifier", *(() if clean else ("--clean",))))
    assert command(*resumed, "--classifier", *said)[0] == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--objective", "hybrid"), "this variance is fixed"),
        (("--variance", "range", "--objective", "simple"), "teach the network its variance"),
        (("--zero-snr", "--prediction", "eps"), "predicts eps"),
        (("--zero-snr", "--objective", "min_snr"), "never be learned"),
        (("--T", 10), "more timesteps or smaller betas"),
        (("--clean",), "add --classifier"),
        (("--classifier", "--objective", "vlb"), "A classifier knows no --objective"),
        (("--classifier", "--from", "digits"), "A classifier knows no --from"),
    ],
)
def test_that_a_training_that_means_nothing_is_refused_in_words(
    command, folder: Path, options: tuple[object, ...], words: str
) -> None:
    base = ("train", folder, "--out", "run", "--size", 8, "--batch", 4, "--steps", 1, "--device", "cpu")
    assert words in refused(command(*base, *options))
    assert not Path("run").exists()


def test_that_a_model_is_fine_tuned_and_it_is_said_what_becomes_of_its_classes(command, folder: Path, model) -> None:
    base = ("train", folder, "--from", model, "--batch", 4, "--steps", 1, "--device", "cpu")
    code, _, err = command(*base, "--out", "run")
    assert code == 0
    assert "New to “tiny”: dark, light." in err
    training = json.loads(Path("run/diffuscope.json").read_text())["provenance"]["training"]
    assert (training["base"]["name"], training["prediction"], training["lr"]) == ("tiny", "eps", 0.0002)
    assert json.loads(Path("run/unet/config.json").read_text())["sample_size"] == 8
    for said in (("--preset", "large"), ("--variance", "range"), ("--schedule", "cosine"), ("--zero-snr",)):
        assert f"leave {said[0]} out" in refused(command(*base, "--out", "other", *said))
    assert command("train", folder, "--out", "run", "--resume", "--steps", 2)[0] == 0
    command("train", folder, "--out", "plain", "--size", 8, "--batch", 4, "--steps", 1)
    assert "did not begin from" in refused(command(*base, "--out", "plain", "--resume"))


def test_that_ctrl_c_keeps_a_run_that_can_be_resumed(folder: Path, tmp_path: Path) -> None:
    arguments = ["train", str(folder), "--out", "run", "--size", "8", "--batch", "4", "--minutes", "5", "--progress"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "main.py"), *arguments], cwd=tmp_path, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        seen = ""
        deadline = time.monotonic() + 60
        while "step" not in seen and time.monotonic() < deadline:
            seen += process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130, seen + rest
    assert "Traceback" not in seen + rest
    assert "--resume goes on from there" in rest
    assert (tmp_path / "run" / "model_index.json").exists()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_that_ctrl_c_while_pictures_are_decoded_ends_at_once(
    folder: Path, tmp_path: Path, monkeypatch, heeded: Callable[[int], None], name: str
) -> None:
    if not hasattr(signal, name):
        pytest.skip("this system knows no such signal")
    heeded(getattr(signal, name))
    from core.cli import run
    from core.training import decoding
    from core.training.reading import Reading

    decoded: list[Reading] = []

    def pressed_meanwhile(pixels: np.ndarray, reading: Reading) -> np.ndarray:
        decoded.append(reading)
        signal.raise_signal(getattr(signal, name))
        return np.zeros((reading.size, reading.size, 1), np.uint8)

    monkeypatch.setattr(decoding, "square", pressed_meanwhile)
    assert run(["train", str(folder), "--out", str(tmp_path / "run"), "--size", "8", "--steps", "1"]) == 130
    assert len(decoded) == 1
    assert not (tmp_path / "run").exists()


def test_that_a_resumed_runs_rate_counts_its_own_steps_alone(capsys, monkeypatch) -> None:
    from core.cli import output

    now = iter((10.0, 12.0, 14.0))
    monkeypatch.setattr(output, "time", SimpleNamespace(monotonic=lambda: next(now)))
    progress = output.Progress(forced=True)
    for done in (1001, 1002, 1003):
        progress.step(done, 1103)
    assert capsys.readouterr().err.splitlines() == [
        "step 1001/1103",
        "step 1002/1103, 0.5 steps/s, 3:22 to go",
        "step 1003/1103, 0.5 steps/s, 3:20 to go",
    ]


def test_that_a_strip_beyond_all_memory_is_refused_before_it_is_made(command, tmp_path: Path) -> None:
    Image.new("1", (9000, 9000)).save(tmp_path / "large.png")
    words = refused(command("noise", "large.png", "--t", ",".join(["1"] * 100), "--out", "strip.png"))
    assert "100 pictures of 9000 × 9000" in words
