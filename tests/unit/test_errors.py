"""The exception tree: every class answers whose fault, and may we retry."""

import pytest

from gateway import errors
from gateway.errors import Fault, GatewayError

CLASSES = [
    value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)
]


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_every_error_says_whose_fault_it_is_and_whether_to_retry(error: type[GatewayError]):
    assert issubclass(error, GatewayError)
    assert isinstance(error.fault, Fault)
    assert isinstance(error.may_retry, bool)
    assert error.__doc__


def test_our_own_faults_are_never_worth_a_retry():
    assert not [error for error in CLASSES if error.fault is Fault.LOCAL and error.may_retry]


def test_findings_of_settings_are_kept_apart():
    error = errors.ProfileError(("one", "two"))
    assert error.findings == ("one", "two")
    assert str(error) == "one; two"
