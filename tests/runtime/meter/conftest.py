"""A simulated meter, its profile, and a reader that knows its wheels."""

import sys
from pathlib import Path

import pytest
from edge_digits_runtime.meter.profile import Alignment, Profile, Slot
from edge_digits_runtime.meter.reading import MeterReader

# The device profile's tests run without the settings of pytest in pyproject.toml as well.
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[3] / "benchmarks" / "accuracy")]

from drawn_meter import PATCHES, known  # noqa: E402
from simulated_meter import SimulatedMeter  # noqa: E402


@pytest.fixture(scope="session")
def meter() -> SimulatedMeter:
    return SimulatedMeter(wheels=6, decimals=2, play=0.03)


@pytest.fixture(scope="session")
def meter_folder(tmp_path_factory: pytest.TempPathFactory, meter: SimulatedMeter) -> Path:
    folder = tmp_path_factory.mktemp("meter")
    meter.picture(1234500).save(folder / "reference.png")
    return folder


@pytest.fixture(scope="session")
def meter_profile(meter: SimulatedMeter) -> Profile:
    return Profile(
        size=(640, 480),
        slots=tuple(Slot(box) for box in meter.boxes),
        name="water",
        unit="m³",
        decimals=2,
        min_confidence=0.98,
        alignment=Alignment("reference.png", PATCHES),
    )


@pytest.fixture(scope="session")
def meter_reader(meter: SimulatedMeter, meter_profile: Profile, meter_folder: Path) -> MeterReader:
    return MeterReader(meter_profile, meter_folder, classifiers=known(meter))
