"""The one state dict in what a training saved: out of its wrappers, averaged weights before raw ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.checkpoints.pickled import TensorNote
from core.checkpoints.stored import Stored
from core.errors import Refusal, shown

Tensor = TensorNote | Stored
PREFIXES = ("module.", "_orig_mod.", "model.", "diffusion_model.", "denoise_fn.", "unet.")
"""What wrappers put before every name: parallel, compiled, and those of trainings."""

EMA_NAMES = ("ema_state_dict", "model_ema", "ema_model", "ema", "params_ema", "state_dict_ema", "ema_params")
RAW_NAMES = ("state_dict", "model_state_dict", "model_state", "model", "unet", "network", "net", "params", "weights")
BUFFERS = {
    *("betas", "alphas_cumprod", "alphas_cumprod_prev", "sqrt_alphas_cumprod", "sqrt_one_minus_alphas_cumprod"),
    *("log_one_minus_alphas_cumprod", "sqrt_recip_alphas_cumprod", "sqrt_recipm1_alphas_cumprod"),
    *("posterior_variance", "posterior_log_variance_clipped", "posterior_mean_coef1", "posterior_mean_coef2"),
    *("loss_weight", "p2_loss_weight"),
}
"""A schedule's tables, which lucidrains' and others' diffusion modules store beside the network."""

_SIDE_BY_SIDE = (("ema_model.", "online_model."),)
_DEPTH = 4
_ENTRIES = 64  # of a wrapper, which are looked at


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """Tensors by name without wrappers' prefixes; ``extras`` are plain values stored beside them, ``averaged`` says
    whether they are averages over the training (EMA)."""

    tensors: dict[str, Tensor]
    extras: Mapping[str, object] = field(default_factory=dict)
    averaged: bool = False


def unwrap(saved: object, file_name: str, averaged: bool = True) -> Unwrapped:
    """The weights in what a file holds: the averaged ones where there are both, or the raw ones, if not ``averaged``.

    Raises Refusal where there are none, or none that is one network.
    """
    _refuse_known_others(saved, file_name)
    if isinstance(saved, list | tuple):
        return _of_list(saved, file_name, averaged)
    if not isinstance(saved, dict):
        raise _nothing(file_name, saved)
    return _of_dict(saved, file_name, averaged, _DEPTH)


def _of_list(saved: list[Any] | tuple[Any, ...], file_name: str, averaged: bool) -> Unwrapped:
    """What the training code of DDIM saves: [weights, optimiser, epoch, step] and, after a fifth comma, averages."""
    if not 4 <= len(saved) <= 5 or not _are_weights(saved[0]):
        raise _nothing(file_name, saved)
    step = {"step": saved[3]} if isinstance(saved[3], int) else {}
    averaged = averaged and len(saved) == 5 and _are_weights(saved[4])
    return Unwrapped(_without_prefixes(saved[4] if averaged else saved[0]), step, averaged)


def _of_dict(saved: Mapping[Any, Any], file_name: str, averaged: bool, depth: int) -> Unwrapped:
    extras = {key: value for key, value in saved.items() if isinstance(key, str) and _is_plain(value)}
    if _are_weights(saved):
        tensors, are_averages = _half({name: value for name, value in saved.items() if _is_tensor(value)}, averaged)
        return Unwrapped(_without_prefixes(tensors), extras, are_averages)
    names = (*EMA_NAMES, *RAW_NAMES) if averaged else (*RAW_NAMES, *EMA_NAMES)
    entries = list(saved.items())[:_ENTRIES]
    inner = next((name for name in names if _leads_to_weights(saved.get(name), depth, set())), None)
    if inner is None or not depth:
        networks = [name for name, value in entries if isinstance(name, str) and _are_weights(value)]
        if len(networks) > 1:
            named = ", ".join(shown(name, 30) for name in networks[:5])
            raise Refusal(
                f"{file_name} holds several networks ({named}), and which of them draws is not said. "
                "Save the one that does alone, and open that file."
            )
        if not networks:
            raise _nothing(file_name, saved)
        inner = networks[0]
    found = _of_dict(saved[inner], file_name, averaged, depth - 1)
    return Unwrapped(found.tensors, {**extras, **found.extras}, found.averaged or inner in EMA_NAMES)


def _half(tensors: dict[str, Any], averaged: bool) -> tuple[dict[str, Any], bool]:
    """Where raw and averaged weights lie side by side in one dictionary, those wanted; whether they are averages."""
    for average, raw in _SIDE_BY_SIDE:
        wanted = average if averaged or not any(name.startswith(raw) for name in tensors) else raw
        half = {name.removeprefix(wanted): value for name, value in tensors.items() if name.startswith(wanted)}
        if half and any(name.startswith(average) for name in tensors):
            return half, wanted == average
    return tensors, False


def _without_prefixes(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Without what stands before every name; a schedule's tables do not count."""
    tensors = {name: value for name, value in tensors.items() if isinstance(name, str) and _is_tensor(value)}
    for _ in range(2 * len(PREFIXES)):
        names = [name for name in tensors if name not in BUFFERS]
        prefix = next((prefix for prefix in PREFIXES if names and all(name.startswith(prefix) for name in names)), "")
        if not prefix:
            break
        tensors = {name if name in BUFFERS else name.removeprefix(prefix): value for name, value in tensors.items()}
    return tensors


def _refuse_known_others(saved: object, file_name: str) -> None:
    if isinstance(saved, TensorNote):
        raise Refusal(
            f"{file_name} holds a single tensor, not a network's weights by name. Open the file that a training "
            "saves its network in."
        )
    if not isinstance(saved, dict):
        return
    if "param_groups" in saved and "state" in saved:
        raise Refusal(
            f"{file_name} holds the state of an optimiser, by which a training goes on, and no weights. "
            "Open the model's own file, which lies beside it: model….pt, or better ema….pt."
        )
    ema, model = saved.get("ema"), saved.get("model")
    if (isinstance(ema, dict) and "shadow_params" in ema) or (
        isinstance(model, dict) and any(isinstance(name, str) and "all_modules." in name for name in model)
    ):
        raise Refusal(
            f"{file_name} is a checkpoint of a score-based SDE model (score_sde), whose noise levels are continuous; "
            "Diffuscope does not compute these yet. Open a model of the DDPM family."
        )


def _nothing(file_name: str, saved: object) -> Refusal:
    kinds = {dict: "an empty dictionary", list: "a list", tuple: "a list", str: "a text", type(None): "nothing"}
    inside = kinds.get(type(saved), "a value")
    if isinstance(saved, dict) and saved:
        inside = ", ".join(shown(name, 30) for name in list(saved)[:8])
    return Refusal(
        f"{file_name} holds no weights by name (it holds {inside}). Open the file that a training saves its network in."
    )


def _leads_to_weights(saved: object, depth: int, seen: set[int]) -> bool:
    if not isinstance(saved, dict) or id(saved) in seen or depth < 0:  # a file can hold itself
        return False
    seen.add(id(saved))
    return _are_weights(saved) or any(
        _leads_to_weights(saved.get(name), depth - 1, seen) for name in (*EMA_NAMES, *RAW_NAMES)
    )


def _are_weights(value: object) -> bool:
    """Tensors by name; beside them may lie a few plain values."""
    if not isinstance(value, dict) or not value:
        return False
    if not all((_is_tensor(item) and isinstance(name, str)) or _is_plain(item) for name, item in value.items()):
        return False
    return any(map(_is_tensor, value.values()))


def _is_tensor(value: object) -> bool:
    return isinstance(value, TensorNote | Stored)


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= 200)
