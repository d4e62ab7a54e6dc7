"""The tidy test itself can fail."""

import pytest

from tools import tidy


@pytest.mark.parametrize(
    ("rule", "name", "text"),
    [
        (tidy.no_long_files, "src/a.py", "x\n" * 601),
        (tidy.no_long_functions, "src/a.py", "def f() -> None:\n" + "    x()\n" * 60),
        (tidy.no_tuple_splats, "src/a.py", "f(*(a, b))\n"),
        (tidy.no_long_lines_of_script, "src/kswifi/pwa/static/js/a.js", "x" * 141 + "\n"),
        (tidy.nothing_unfinished, "src/a.py", "# TO" + "DO later\n"),
        (tidy.no_bare_session, "src/a.py", "class Session" + ":\n"),
        (tidy.no_registry_hosts, "requirements/a.txt", "--index-url https://py" + "pi.org/simple\n"),
        (tidy.no_machine_paths, "README.md", "see /wo" + "rk/main\n"),
        (tidy.one_final_newline, "a.md", "text"),
    ],
)
def test_each_rule_finds_its_fault_and_passes_what_is_well(rule: tidy.Rule, name: str, text: str) -> None:
    assert list(rule(name, text))
    assert not list(rule(name, "well\n"))
