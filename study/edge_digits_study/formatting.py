"""Figures of studies as people read them."""

from collections.abc import Mapping
from typing import Any

from edge_digits.formatting import NONE, counted, joined, points
from edge_digits_study.definition import QUANTITIES, Published
from edge_digits_study.seed_summary import Estimate, SystemSummary

NOT_RUN, NOT_CONVERTED = "not run", "not converted"
DECIMALS = {"test_loss": 4, "train_loss": 4, "convergence_epoch": 1, "parameters": 0}
"""Number of decimals of a measured mean, by quantity; 2 for all others. A document may give more."""


def measured(estimate: Estimate, quantity: str = "") -> str:
    """Return ``98.01 ± 0.12``, for one seed without ±, with a true minus sign."""
    decimals = DECIMALS.get(quantity, 2)
    spread = "" if estimate.std is None or quantity == "parameters" else f" ± {estimate.std:,.{decimals}f}"
    # Adding 0 turns -0.00 into 0.00.
    return f"{round(estimate.mean, decimals) + 0.0:,.{decimals}f}".replace("-", "−") + spread


def published(figure: Published | None, quantity: str = "") -> str:
    """Return the figure with as many decimals as the document has; a dash if the document has no figure."""
    if figure is None:
        return NONE
    # Most documents give at least one decimal, even if it is 0.
    decimals = 0 if quantity in ("parameters", "convergence_epoch") else 1
    value, spread = (
        "" if number is None else max(f"{number:,.{decimals}f}", f"{number:,.10g}", key=len)
        for number in (figure.value, figure.spread)
    )
    return f"{value} ± {spread}" if spread else value


def epochs(summary: SystemSummary) -> str:
    """Return ``5``, or ``20 instead of 100`` if the document has another number of epochs."""
    if summary.epochs == summary.document_epochs:
        return str(summary.epochs)
    return f"{summary.epochs} instead of {summary.document_epochs}"


def short_epochs(summary: SystemSummary) -> str:
    """Return ``5``, or ``20/100`` if the document has another number of epochs."""
    if summary.epochs == summary.document_epochs:
        return str(summary.epochs)
    return f"{summary.epochs}/{summary.document_epochs}"


def small(pp: float) -> str:
    """Return ``0.25 pp``, or with one significant digit what would round to zero, such as ``0.003 pp``."""
    return f"{points(pp) if round(pp, 2) else f'{pp:.1g}'} pp"


def named(summary: SystemSummary) -> str:
    """Return the title, with the number of epochs if the document has another: ``CNN (20/100 epochs)``."""
    if summary.epochs == summary.document_epochs:
        return summary.system.title
    return f"{summary.system.title} ({short_epochs(summary)} epochs)"


def accuracy_name(quantity: str) -> str:
    """Return ``test``, ``training`` or ``F1`` for the name of an accuracy in `QUANTITIES`."""
    return QUANTITIES[quantity].removesuffix(", %").removesuffix(" accuracy").removeprefix("macro ")


def device_name(facts: Mapping[str, Any]) -> str:
    """Return the name of a device, or its kind if it has no name."""
    return str(facts.get("name") or facts.get("kind") or facts.get("machine") or NONE)


def device(facts: Mapping[str, Any]) -> str:
    """Return ``NVIDIA H200, GPU, x86_64, 16 cores, 135 GB`` for the facts that are known, each once."""
    cores, memory = facts.get("cores"), facts.get("memory_bytes")
    size = (counted(cores, "core") if cores else "", f"{memory / 1e9:.0f} GB" if memory else "")
    return joined(*dict.fromkeys((facts.get("name"), facts.get("kind"), facts.get("machine"), *size)))
