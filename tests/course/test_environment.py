"""The report on the machine: a line per check."""

from sgan_lib import data
from sgan_lib.course.environment import environment_report


def test_the_report_says_what_is_fine_and_what_to_do(monkeypatch):
    lines = environment_report()
    assert [line.split()[:2] for line in lines] == [["Python", "fine:"], ["torch", "fine:"], ["data", "fine:"]]

    def fail(*_, **__):
        raise data.DataError("set SGAN_DATA")

    monkeypatch.setattr(data, "load", fail)
    assert environment_report() == [*lines[:2], "data     NOT fine: set SGAN_DATA"]
