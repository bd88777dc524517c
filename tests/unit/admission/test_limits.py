import pytest

from app.admission.limits import InteractionLimits, Limit
from app.errors import ConfigurationError
from app.settings import Settings


def test_defaults_are_the_seeds_numbers() -> None:
    limits = InteractionLimits.of(Settings.from_environment({}))
    assert (limits.user, limits.user_command, limits.guild) == (Limit(10, 10), Limit(5, 60), Limit(50, 60))


def test_off_switches_a_layer_off() -> None:
    assert InteractionLimits.of(Settings.from_environment({"LIMIT_GUILD": "off"})).guild is None


@pytest.mark.parametrize(
    "wrong", ["10", "10/", "/10", "0/10", "10/0", "-1/5", "1e3/5", "10/10/10", "١/٢", "2000/1"]
)
def test_a_wrong_limit_names_its_variable(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match="LIMIT_USER: must be count/seconds"):
        Settings.from_environment({"LIMIT_USER": wrong})
