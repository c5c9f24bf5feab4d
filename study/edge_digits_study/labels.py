"""Figures of studies as people read them."""

from edge_digits.report.wording import NONE, points
from edge_digits_study.plan import Published
from edge_digits_study.seed_summary import Figure, Measured

NOT_RUN, NOT_CONVERTED = "not run", "not converted"
DECIMALS = {"test_loss": 4, "train_loss": 4, "convergence_epoch": 1, "parameters": 0}
"""How many are shown of a mean, by quantity; two of what is not in here. A document may give more."""


def measured(figure: Figure, quantity: str = "") -> str:
    """``98.01 ± 0.12``, without ± for one seed; a true minus sign."""
    decimals = DECIMALS.get(quantity, 2)
    spread = "" if figure.std is None or quantity == "parameters" else f" ± {figure.std:,.{decimals}f}"
    # Adding 0 makes of -0.00 what it is.
    return f"{round(figure.mean, decimals) + 0.0:,.{decimals}f}".replace("-", "−") + spread


def published(figure: Published | None, quantity: str = "") -> str:
    """The figure with as many decimals as the document has, a dash where it has none."""
    if figure is None:
        return NONE
    # Most documents have one decimal at least, also where that is 0.
    decimals = 0 if quantity in ("parameters", "convergence_epoch") else 1
    value, spread = (
        "" if number is None else max(f"{number:,.{decimals}f}", f"{number:,.10g}", key=len)
        for number in (figure.value, figure.spread)
    )
    return f"{value} ± {spread}" if spread else value


def epochs(one: Measured) -> str:
    """``5``, or ``20 instead of 100`` where the document has another number."""
    return str(one.epochs) if one.epochs == one.wanted_epochs else f"{one.epochs} instead of {one.wanted_epochs}"


def small(pp: float) -> str:
    """``0.25 pp``, or ``0.003 pp``: as many decimals as it takes to see that it is not 0."""
    return f"{points(pp) if round(pp, 2) else f'{pp:.1g}'} pp"
