"""Engines: what computes a model's pictures; which ones are here, which is faithful and fast."""

from soundreel.rendering.engines.engine import (
    Engine,
    EngineName,
    EngineUnavailable,
    computed,
    to_frames,
)
from soundreel.rendering.engines.gate import GATE_PSNR_DB
from soundreel.rendering.engines.opening import open_engine
from soundreel.rendering.engines.trial import Choice, Trial, choose_engine

__all__ = [
    "GATE_PSNR_DB",
    "Choice",
    "Engine",
    "EngineName",
    "EngineUnavailable",
    "Trial",
    "choose_engine",
    "computed",
    "open_engine",
    "to_frames",
]
