"""What the system refuses is said in words, in one line."""

import errno

import pytest

from kswifi.cli.main import _refusals_in_one_line


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "a/b"), "there is no file a/b"),
        (PermissionError(errno.EACCES, "Permission denied", "a/b"), "a/b: permission denied"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "a/b"), "a/b: is a directory"),
        (OSError("the port is taken"), "the port is taken"),
    ],
)
def test_a_refusal_of_the_system_is_said_in_words(
    error: OSError, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, _refusals_in_one_line():
        raise error
    assert (ended.value.code, capsys.readouterr().err) == (1, f"kswifi: {words}\n")
