"""The rules of tools/tidy.py find their faults and accept what is right."""

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
        (tidy.no_riddles, "src/a.py", "# Tell whoever asks.\n"),
    ],
)
def test_each_rule_finds_its_fault_and_accepts_clean_text(rule: tidy.Rule, name: str, text: str) -> None:
    assert list(rule(name, text))
    assert not list(rule(name, "well\n"))


@pytest.mark.parametrize(
    "line",
    [
        "Refuse whoever has no key.",
        "Another's order is not found.",
        "A file beside the journal.",
        "The phone is told its address.",
        "The phone is\n    # told its address.",
        "Help tells of passes.",
        "The line is on by the network's word.",
        "def test_usage_from_nowhere() -> None:",
        "def test_the_user_is_told() -> None:",
        "Nobody's operator.",
        "what is known of a card",
    ],
)
def test_riddle_words_are_refused_in_any_case_and_across_lines(line: str) -> None:
    assert len(list(tidy.no_riddles("src/clean/a.py", line + "\n"))) == 1


@pytest.mark.parametrize(
    "line",
    ["Besides, it is fast.", "Another SM-DP+ has it.", "The others' turn.", "It is toldable.", "Somebody uses it."],
)
def test_plain_words_are_not_taken_for_riddles(line: str) -> None:
    assert not list(tidy.no_riddles("src/clean/a.py", line + "\n"))


def test_kinds_of_stored_outbox_entries_keep_their_names() -> None:
    assert not list(tidy.no_riddles("src/clean/a.py", 'KIND = "tell_of_the_end"\n'))
    assert list(tidy.no_riddles("src/clean/a.py", "def tell_of_the_end() -> None:\n"))


def test_a_complaint_about_a_riddle_names_the_line_where_it_begins() -> None:
    assert list(tidy.no_riddles("a.md", "one\ntwo is\ntold\n")) == ["line 2: say it plainly, without 'is told'"]


def test_a_file_name_may_not_be_a_riddle() -> None:
    assert list(tidy.no_riddles("src/clean/process_beside.py", "plain\n"))


@pytest.mark.parametrize(
    "name",
    [
        "tools/tidy.py",
        "tests/browser/vendor/a.js",
        "tests/golden/data/a.md",
        "src/kswifi/pwa/minified/a.js",
        "LICENSE",
    ],
)
def test_prose_that_is_not_ours_is_not_read(name: str) -> None:
    assert not list(tidy.no_riddles(name, "beside\n"))


def test_a_folder_that_is_rewritten_later_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tidy, "NOT_YET", ("src/later/",))

    assert not list(tidy.no_riddles("src/later/a.py", "beside\n"))
    assert list(tidy.no_riddles("src/clean/a.py", "beside\n"))


def test_a_commit_subject_has_at_most_72_characters_unless_it_is_of_a_merge() -> None:
    assert not list(tidy.long_subject("x" * 72, parents=1))
    assert list(tidy.long_subject("x" * 73, parents=1))
    assert list(tidy.long_subject("x" * 73, parents=0))
    assert not list(tidy.long_subject("x" * 73, parents=2))


def test_the_subject_of_head_is_read() -> None:
    subject, parents = tidy.head_commit()

    assert subject
    assert "\n" not in subject
    assert parents >= 0
