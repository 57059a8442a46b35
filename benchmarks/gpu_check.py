"""GPU check, ``python -m benchmarks.gpu_check OUT``: all that is to be known of a card, within minutes.

For a machine with Python, torch, numpy, safetensors, onnx and transformers, and without network; the rest travels in
the folder that ``python -m benchmarks.gpu.pack FOLDER`` prepares. OUT gets ``gpu_check.json`` and ``gpu_check.log``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from benchmarks.gpu.wheels import use_wheels

ROOT: Final = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_check", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--device", default="cuda", help="cpu, cuda or cuda:N")
    parser.add_argument("--seconds", type=float, default=480.0, help="for everything together")
    parser.add_argument("--tiny", action="store_true", help="tiny voices: the figures mean nothing")
    parser.add_argument("--analyses", type=Path, default=ROOT / "analyses.json", help="the book, as it is read")
    chosen = parser.parse_args()
    use_wheels(ROOT / "wheels", chosen.out / "site")
    _check(chosen)


def _check(chosen: argparse.Namespace) -> None:
    # Not before the wheels are there.
    import torch

    from benchmarks.gpu import card, kernels, modes, parity, speed, sweep
    from benchmarks.gpu.analyses import read_analyses, stand_in
    from benchmarks.gpu.budget import Part, run_parts
    from benchmarks.gpu.material import Material
    from benchmarks.gpu.report import Report

    if chosen.tiny:
        torch.set_num_threads(1)  # threads of small sizes only wait for each other
    report = Report(chosen.out)
    analyses = read_analyses(chosen.analyses)
    stand_in(analyses)
    material = Material(chosen.device, chosen.tiny, ROOT, chosen.out, analyses)
    parts = [
        Part("machine", 180, card.machine),
        Part("parity with the reference", 30, parity.golden),
        Part("parity of voices", 90, parity.voices),
        Part("speed alone", 60, speed.alone),
        Part("speed through run_chunk", 60, speed.through_chunk),
        Part("decoder modes", 40, modes.decoder_modes),
        Part("limits of the card", 30, card.limits),
        Part("profile", 30, card.profiled),
        Part("CUDA graphs", 40, kernels.cuda_graphs),
        Part("batch sizes and buckets", 90, sweep.sweep),
        Part("compiled", 120, kernels.compiled),
    ]
    run_parts(parts, material, report, chosen.seconds)


if __name__ == "__main__":
    main()
