"""When two names are the same person's or the same company's.

People agree when every word of the shorter name finds its own word in the longer one: the same word, the same
sound (Jon/John, Marc/Mark), an initial, or one typing error in the whole name. What tells people apart is
kept apart: short words differ unless they sound alike (Tim/Tom), and so do names that differ in the ending
that marks a man's or a woman's name (Paul/Paula, Andrea/Andreas). A lone word agrees with the same lone word
only; where it could be part of the other name there is too little to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import permutations

import polars as pl

_SHORT = 5
_MOST_WORDS = 5
_TELLING_ENDINGS = frozenset("aeious")
_SOUNDS = (
    (re.compile("([aou])e"), r"\1"),  # Müller, Muller and a slipped Müüller
    (re.compile("ph"), "f"),
    (re.compile("(?<=[a-z])h"), ""),
    (re.compile("ck|c(?=[^eiy]|$)"), "k"),
    (re.compile("dt|tz?(?=t|$)"), "t"),
    (re.compile("y"), "i"),
    (re.compile("w"), "v"),
    (re.compile(r"(.)\1+"), r"\1"),
)


def _sound(word: str) -> str:
    for pattern, said in _SOUNDS:
        word = pattern.sub(said, word)
    return word


def one_typo(left: str, right: str) -> bool:
    """Whether one letter was added, left out, exchanged or swapped with its neighbour (at most once)."""
    if left == right:
        return True
    if abs(len(left) - len(right)) > 1:
        return False
    start = 0
    while start < min(len(left), len(right)) and left[start] == right[start]:
        start += 1
    a, b = left[start:], right[start:]
    if len(a) > len(b):
        return a[1:] == b
    if len(b) > len(a):
        return b[1:] == a
    return a[1:] == b[1:] or (a[:2] == b[1::-1] and a[2:] == b[2:])


def few_slips(left: str, right: str) -> bool:
    """Whether two letters at most were added, left out, exchanged or swapped with their neighbours."""
    if abs(len(left) - len(right)) > 2:
        return False
    above: list[int] = []
    row = list(range(len(right) + 1))
    for i, letter in enumerate(left, 1):
        above, before, row = row, above, [i]
        for j, other in enumerate(right, 1):
            cost = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == right[j - 2] and left[i - 2] == other:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        if min(row) > 2:
            return False
    return row[-1] <= 2


def _swapped(left: str, right: str) -> bool:
    return sorted(left) == sorted(right) and one_typo(left, right)


def _differ_in_ending(left: str, right: str) -> bool:
    """Differ only in a last letter that marks a man's or a woman's name, or a plural."""
    if len(left) == len(right):
        return left[:-1] == right[:-1] and bool({left[-1], right[-1]} & _TELLING_ENDINGS)
    longer, shorter = (left, right) if len(left) > len(right) else (right, left)
    return longer[:-1] == shorter and longer[-1] in _TELLING_ENDINGS


def _typos_between(left: str, right: str) -> int | None:
    """0: the same word, sound or initial; 1: one typing error; None: different words."""
    if left == right:
        return 0
    if len(left) == 1 or len(right) == 1:
        return 0 if left[0] == right[0] else None
    if _differ_in_ending(left, right):
        return None
    if _sound(left) == _sound(right):
        return 0
    if min(len(left), len(right)) < _SHORT:
        return 1 if len(left) == len(right) and len(left) > 2 and _swapped(left, right) else None
    return 1 if one_typo(left, right) else None


def _names_agree(left: str, right: str) -> bool | None:
    """Whether two name keys (folded words, sorted) are one person's. None: too little to say."""
    few, many = sorted((left.split(), right.split()), key=len)
    if not few:
        return None
    if len(few) == 1:
        return _lone_word(few[0], many)
    if 1 in (max(map(len, few)), max(map(len, many))):
        return None  # nothing but initials
    few, many = few[:_MOST_WORDS], many[: _MOST_WORDS + 1]
    return any(_match(few, chosen) for chosen in permutations(many, len(few)))


def _lone_word(word: str, many: list[str]) -> bool | None:
    if [word] == many:
        return True
    return None if any(_typos_between(word, other) is not None for other in many) else False


def _match(few: list[str], chosen: tuple[str, ...]) -> bool:
    typos, whole_words = 0, 0
    for word, other in zip(few, chosen, strict=True):
        between = _typos_between(word, other)
        if between is None:
            return False
        typos += between
        whole_words += len(word) > 1 and len(other) > 1
    return typos <= 1 and whole_words > 0


def _companies_agree(left: str, right: str) -> bool:
    """Whether two company keys name one company: spaces do not count, one error in a longer name neither."""
    a, b = left.replace(" ", ""), right.replace(" ", "")
    if a == b:
        return True
    digits = [sign for sign in a if sign.isdigit()] != [sign for sign in b if sign.isdigit()]
    return not digits and min(len(a), len(b)) > _SHORT and one_typo(a, b)


def same_name(left: str, right: str) -> pl.Expr:
    """Whether two columns of name keys (``_name_key``) name one person: True, False or null (cannot say).

    ``left`` and ``right`` are column names. Pairs that differ are compared in Python, of many each distinct one once.
    """
    return _compare(left, right, _names_agree)


def same_company(left: str, right: str) -> pl.Expr:
    """Whether two columns of company keys (``_company_key``) name one company; null where one is null."""
    return _compare(left, right, _companies_agree)


#: So few pairs are compared one by one: to find the different ones takes seven queries.
_FEW = 64


def _compare(left: str, right: str, agree: Callable[[str, str], bool | None]) -> pl.Expr:
    def answer(a: str | None, b: str | None) -> bool | None:
        return None if a is None or b is None else a == b or agree(a, b)

    def compare(pairs: pl.Series) -> pl.Series:
        if len(pairs) <= _FEW:
            both = zip(pairs.struct.field(left).to_list(), pairs.struct.field(right).to_list(), strict=True)
            return pl.Series([answer(a, b) for a, b in both], dtype=pl.Boolean())
        frame = pl.DataFrame({"left": pairs.struct.field(left), "right": pairs.struct.field(right)})
        differ = frame.filter(pl.col("left") != pl.col("right")).unique()
        answers = [agree(a, b) for a, b in differ.iter_rows()]
        known = differ.with_columns(answer=pl.Series(answers, dtype=pl.Boolean()))
        joined = frame.join(known, on=["left", "right"], how="left", maintain_order="left")
        equal = pl.when(pl.col("left") == pl.col("right")).then(True)
        return joined.select(pl.coalesce(equal, "answer")).to_series()

    return pl.struct(left, right).map_batches(compare, return_dtype=pl.Boolean())
