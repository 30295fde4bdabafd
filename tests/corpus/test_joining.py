"""The joined document, against talks that the tests make up and so know word by word."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from zhufeng.corpus._parts import (
    Box,
    Caption,
    Captioned,
    Heard,
    Media,
    ScreenLine,
    Utterance,
    Watched,
    Word,
)
from zhufeng.corpus.joining import JoinConfig, Joined, compose, join

SENTENCES = (
    "The river had been frozen since the first week of December and nobody in the village "
    "could remember a colder winter. Old Martha kept her stove burning day and night, for she "
    "said that a house once cold would never be warm again. In the evenings the children came "
    "to hear her stories about the mountain and the people who had tried to climb it. Most of "
    "them turned back before the glacier, some waited for better weather, and only three ever "
    "reached the top. What they saw from there she described so well that every listener "
    "believed she had been one of them."
)
CHINESE = "冬天的河水早就结了冰，村里的老人说从来没有这么冷过。孩子们每天晚上都来听她讲山上的故事。"
TOKEN = re.compile(r"[\u4e00-\u9fff]|[a-z0-9']+")
OTHERS = ("and", "the", "of", "so", "it", "was", "to")
OTHER_CHARACTERS = "是了在我他有这个们来到时大地为子中"
SUBTITLE: Box = (0.2, 0.88, 0.8, 0.94)

Cue = tuple[float, float, str]


def media(duration_s: float = 120.0) -> Media:
    return Media(
        container="mp4", codecs=("h264", "aac"), duration_s=duration_s, video=True, audio=True
    )


def spoken(text: str, t0: float, t1: float, *, prob: float = 0.95, **doubts: float) -> Utterance:
    """An utterance whose words last as long as they are."""
    parts = re.findall(r"[\u4e00-\u9fff]，?。?|\s*[^\s\u4e00-\u9fff]+", text)
    step = (t1 - t0) / sum(map(len, parts))
    words, t = [], t0
    for part in parts:
        words.append(Word(t0=t, t1=t + step * len(part), text=part, prob=prob))
        t += step * len(part)
    told = {"avg_logprob": -0.2, "no_speech_prob": 0.05, "compression_ratio": 1.4, **doubts}
    return Utterance(t0=t0, t1=t1, text=text.strip(), words=tuple(words), lang="en", **told)


def line(
    text: str,
    t0: float,
    t1: float,
    box: Box = SUBTITLE,
    *,
    conf: float = 0.97,
    static: bool = True,
) -> ScreenLine:
    return ScreenLine(t0=t0, t1=t1, text=text, conf=conf, bbox=box, static=static)


def joined(
    talk: Sequence[Utterance] = (),
    screen: Sequence[ScreenLine] = (),
    duration_s: float = 120.0,
    config: JoinConfig | None = None,
) -> Joined:
    ordered = tuple(sorted(screen, key=lambda one: (one.t0, one.bbox[1])))
    return join(
        media(duration_s),
        [Heard(utterances=tuple(talk))],
        [Watched(lines=ordered)],
        [],
        config or JoinConfig(),
    )


def kept(document: Joined) -> list[tuple[str, str]]:
    return [(one.kind, one.text) for one in document.segments if one.suppressed_by is None]


def suppressed(document: Joined) -> dict[str, str]:
    return {one.text: one.suppressed_by for one in document.segments if one.suppressed_by}


def tokens(text: str) -> list[str]:
    return TOKEN.findall(text.lower())


def edits(a: Sequence[str], b: Sequence[str]) -> int:
    """Levenshtein's distance by diagonals (Ukkonen 1985): how far each can be followed."""
    reach = {0: _snake(a, b, 0, 0)}
    distance = 0
    while reach.get(len(b) - len(a), -1) < len(a):
        distance += 1
        steps: dict[int, int] = {}
        for diagonal in range(-distance, distance + 1):
            best = max(
                reach.get(diagonal, -2) + 1,
                reach.get(diagonal + 1, -2) + 1,
                reach.get(diagonal - 1, -2),
            )
            best = min(best, len(a), len(b) - diagonal)
            if best >= 0 and best + diagonal >= 0:
                steps[diagonal] = _snake(a, b, best, diagonal)
        reach = steps
    return distance


def _snake(a: Sequence[str], b: Sequence[str], place: int, diagonal: int) -> int:
    while place < len(a) and place + diagonal < len(b) and a[place] == b[place + diagonal]:
        place += 1
    return place


def test_the_tests_count_edits_rightly() -> None:
    assert edits("kitten", "sitting") == 3
    assert edits("saturday", "sunday") == 3
    assert edits("", "abc") == 3
    assert edits("same", "same") == 0


class Talk:
    """A subtitled film: what is said, what a recogniser makes of it, what is on the screen."""

    def __init__(self, seed: int, *, holes: bool, noise: float = 1.0) -> None:
        self.random = random.Random(seed)
        self.noise = noise
        self.cues = self._cut()
        places = list(range(len(self.cues)))
        self.random.shuffle(places)
        third = len(places) // 3 if holes else 0
        self.blank, self.mute = set(places[:third]), set(places[third : 2 * third])
        self.signs: list[Cue] = []
        if holes:
            for text in ("PLATFORM NINE", "BAKERY"):
                t = self.random.uniform(2, self.cues[-1][1] - 4)
                self.signs.append((t, t + 3, text))
        self.heard = Heard(utterances=tuple(self._speech()))
        self.watched = Watched(lines=tuple(self._screen()))
        truth = sorted([(t, text) for t, _, text in (*self.cues, *self.signs)])
        self.truth = [token for _, text in truth for token in tokens(text)]

    def _cut(self) -> list[Cue]:
        words = SENTENCES.split()
        texts = []
        while words:
            size = self.random.randint(6, 11)
            texts.append(" ".join(words[:size]))
            words = words[size:]
        texts += re.findall(".{6,12}[，。]|.+", CHINESE)
        cues, t = [], 0.5
        for text in texts:
            length = 0.07 * len(text) * (1 if text.isascii() else 4)
            cues.append((t, t + length, text))
            t += length + self.random.choice((0.04, 0.04, 0.5, 1.6))
        return cues

    def _speech(self) -> list[Utterance]:
        found: list[Utterance] = []
        words: list[Word] = []
        for number, (t0, t1, text) in enumerate(self.cues):
            if number in self.mute:
                if self.random.random() < 0.4:
                    found.append(
                        spoken(" Thank you.", t0 + 0.4, t0 + 1, prob=0.3, avg_logprob=-0.9)
                    )
                continue
            words += self._misheard(spoken(" " * text.isascii() + text, t0 + 0.1, t1 - 0.1))
            # A recogniser ends its sentences where it likes.
            if len(words) > self.random.randint(8, 25):
                found.append(self._utterance(words))
                words = []
        if words:
            found.append(self._utterance(words))
        return sorted(found, key=lambda one: one.t0)

    def _misheard(self, one: Utterance) -> list[Word]:
        words = []
        for word in one.words:
            chance, text = self.random.random(), word.text
            if chance < 0.02 * self.noise:
                continue
            if chance < 0.09 * self.noise:
                other = self.random.choice(OTHERS if text.isascii() else OTHER_CHARACTERS)
                text = (" " if text.isascii() else "") + other
            off = self.random.uniform(-0.25, 0.25)
            words.append(replace(word, t0=word.t0 + off, t1=word.t1 + off, text=text))
        return words

    def _utterance(self, words: Sequence[Word]) -> Utterance:
        ordered = tuple(sorted(words, key=lambda word: word.t0))
        return Utterance(
            t0=ordered[0].t0,
            t1=ordered[-1].t1,
            text="".join(word.text for word in words).strip(),
            words=tuple(replace(a, text=b.text) for a, b in zip(ordered, words, strict=True)),
            lang="en",
            avg_logprob=-0.3,
            no_speech_prob=0.1,
            compression_ratio=1.5,
        )

    def _screen(self) -> list[ScreenLine]:
        found = []
        for number, (t0, t1, text) in enumerate(self.cues):
            if number not in self.blank:
                half = 0.006 * len(text) * (1 if text.isascii() else 2)
                early, late = self.random.uniform(-0.1, 0.2), self.random.uniform(-0.2, 0.1)
                box = (0.5 - half, 0.88, 0.5 + half, 0.94)
                found.append(line(self._misread(text), t0 + early, t1 + late, box))
        for (t0, t1, text), left in zip(self.signs, (0.1, 0.6), strict=False):
            found.append(line(text, t0, t1, (left, 0.2, left + 0.2, 0.27), static=False))
        return sorted(found, key=lambda one: (one.t0, one.bbox[1]))

    def _misread(self, text: str) -> str:
        return "".join(
            "o" if letter.isalpha() and self.random.random() < 0.003 else letter for letter in text
        )

    def joined(self) -> Joined:
        config = JoinConfig()
        return join(media(self.cues[-1][1] + 1), [self.heard], [self.watched], [], config)

    def error(self, text: str) -> float:
        return edits(tokens(text), self.truth) / len(self.truth)

    def best_source(self) -> float:
        speech = " ".join(one.text for one in self.heard.utterances)
        screen = " ".join(one.text for one in self.watched.lines)
        return min(self.error(speech), self.error(screen))


@pytest.mark.parametrize("seed", range(8))
def test_a_film_with_holes_errs_half_as_much_as_its_better_source(seed: int) -> None:
    talk = Talk(seed, holes=True)
    assert talk.error(talk.joined().text) <= 0.5 * talk.best_source()


@pytest.mark.parametrize("seed", range(8))
def test_a_whole_film_errs_no_more_than_its_better_source(seed: int) -> None:
    talk = Talk(seed, holes=False)
    assert talk.error(talk.joined().text) <= talk.best_source()


@pytest.mark.soak
@pytest.mark.parametrize("noise", [1.0, 2.0])
def test_fifty_films_err_less_than_their_better_source(noise: float) -> None:
    holed = [Talk(seed, holes=True, noise=noise) for seed in range(50)]
    assert all(talk.error(talk.joined().text) <= 0.5 * talk.best_source() for talk in holed)
    whole = [Talk(seed, holes=False, noise=noise) for seed in range(50)]
    worse = [talk for talk in whole if talk.error(talk.joined().text) > talk.best_source()]
    assert len(worse) <= 1


@pytest.mark.parametrize("seed", range(6))
def test_no_word_is_lost_or_doubled(seed: int) -> None:
    talk = Talk(seed, holes=seed % 2 == 0, noise=3.0)
    segments = talk.joined().segments

    def letters(texts: Sequence[str]) -> Counter[str]:
        return Counter("".join("".join(texts).split()))

    heard = [word.text for one in talk.heard.utterances for word in one.words]
    assert letters([one.text for one in segments if one.kind == "speech"]) == letters(heard)
    seen = [one.text for one in talk.watched.lines]
    assert letters([one.text for one in segments if one.kind != "speech"]) == letters(seen)


def test_words_without_a_subtitle_stand_beside_those_with_one() -> None:
    whole = (
        " We left the harbour before the sun came up and the wind was with us all morning until "
        "a storm drove us back behind the lighthouse"
    )
    talk = spoken(whole, 10.0, 25.0)
    cuts = [0, 9, 18, 26]
    words = [word.text.strip() for word in talk.words]
    pieces = [(words[a:b], talk.words[a].t0, talk.words[b - 1].t1) for a, b in pairwise(cuts)]
    shown = [line(" ".join(said), t0, t1) for said, t0, t1 in (pieces[0], pieces[2])]
    extra = [line("And so it began that day", 2.0, 5.0), line("Nobody had been hurt", 30.0, 33.0)]
    document = joined([talk], [*shown, *extra])
    flow = [text for _, text in kept(document)]
    assert flow == [
        extra[0].text,
        shown[0].text,
        " ".join(pieces[1][0]),
        shown[1].text,
        extra[1].text,
    ]
    told = {one.suppressed_by for one in document.segments if one.suppressed_by}
    assert told == {f"subtitle at {shown[0].t0:.1f}", f"subtitle at {shown[1].t0:.1f}"}


def test_a_translation_and_a_sign_leave_the_speech_alone() -> None:
    talk = [
        spoken(f" This is what the guide tells us at stop number {n}.", n * 6, n * 6 + 5)
        for n in range(1, 6)
    ]
    chinese = [
        line("导游在这一站告诉我们的事情" + "一二三四五六"[n], n * 6, n * 6 + 5)
        for n in range(1, 6)
    ]
    sign = line("NO ENTRY", 13, 16, (0.1, 0.2, 0.3, 0.28), static=False)
    document = joined(talk, [*chinese, sign])
    assert not suppressed(document)
    # The translation follows what it translates; nothing is mixed within a sentence.
    for one in talk:
        assert one.text in document.text
    assert "NO ENTRY" in document.text.split("\n\n")
    assert "".join(one.text for one in chinese[2:]) in document.text


def test_figures_and_their_words_agree() -> None:
    said = [
        spoken(" It was built in 1455 by a printer from Mainz.", 5, 9),
        spoken(" He sold 42 copies in the first year.", 9.2, 13),
        spoken(" Then he lost everything he had.", 13.2, 17),
    ]
    shown = [
        line("It was built in fourteen fifty-five by a printer from Mainz.", 5, 9),
        line("He sold forty-two copies in the first year.", 9.2, 13),
        line("Then he lost everything he had.", 13.2, 17),
    ]
    assert kept(joined(said, shown)) == [("subtitle", one.text) for one in shown]


def test_spellings_agree() -> None:
    british = ("Coloured harbours travelling", "Honoured neighbours modelled", "Grey theatres")
    american = ("colored harbors traveling", "honored neighbors modeled", "gray theaters")
    times = [(6.0 * n, 6.0 * n + 4) for n in range(3)]
    said = [spoken(f" {text}", *t) for text, t in zip(american, times, strict=True)]
    shown = [line(text, *t) for text, t in zip(british, times, strict=True)]
    assert kept(joined(said, shown)) == [("subtitle", text) for text in british]


def test_a_badly_read_subtitle_gives_way_to_sure_speech() -> None:
    said = spoken(" The ship arrives at seven tomorrow morning.", 5, 9, prob=0.98)
    shown = line("The shlp arrives at scven tomorrow morning", 5, 9, conf=0.6)
    assert kept(joined([said], [shown])) == [("speech", said.text)]
    assert suppressed(joined([said], [shown])) == {shown.text: "speech at 5.0"}
    unsure = spoken(" The sheep arrives at seven tomorrow warning.", 5, 9, prob=0.5)
    assert kept(joined([unsure], [shown])) == [("subtitle", shown.text)]


def test_traditional_subtitles_agree_with_simplified_speech() -> None:
    said = [spoken("我们今天讲一讲这个机器学习的问题", 2, 6), spoken("首先来看数据从哪里来", 7, 10)]
    shown = [line("我們今天講一講這個機器學習的問題", 2, 6), line("首先來看數據從哪裡來", 7, 10)]
    assert kept(joined(said, shown)) == [("subtitle", one.text) for one in shown]


def test_lines_cut_at_a_border_of_spans_are_one() -> None:
    halves = [
        line("One sentence over the border", 8, 10),
        line("One sentence over the border", 10, 12),
    ]
    again = line("One sentence over the border", 20, 22)
    document = join(
        media(),
        [],
        [Watched(lines=(halves[0],)), Watched(lines=(halves[1], again))],
        [],
        JoinConfig(),
    )
    assert [(one.t0, one.t1) for one in document.segments] == [(8, 12), (20, 22)]


def test_two_lines_at_once_are_one_subtitle() -> None:
    upper, lower = (0.25, 0.80, 0.75, 0.86), (0.3, 0.88, 0.7, 0.94)
    screen = [
        one
        for n in range(4)
        for one in (
            line(f"The upper half of sentence {n}", 5 * n, 5 * n + 4, upper),
            line("goes on in the lower", 5 * n, 5 * n + 4, lower),
        )
    ]
    expected = [
        ("subtitle", f"The upper half of sentence {n} goes on in the lower") for n in range(4)
    ]
    assert kept(joined([], screen)) == expected


def left(row: int, width: float = 0.5) -> Box:
    top = 0.15 + 0.1 * row
    return (0.1, top, 0.1 + width, top + 0.05)


def test_a_slide_that_builds_up_tells_each_line_once() -> None:
    lines = ["What we measured", "Speed of the decoder", "Errors of the reader", "Cost in a year"]
    # The reader of the screen starts anew with each picture: all lines again.
    screen = [
        line(text, 10 * step, 10 * step + 10, left(row))
        for step in range(4)
        for row, text in enumerate(lines[: step + 1])
    ]
    # An interval apart, so that nothing is put together as cut.
    screen = [replace(one, t1=one.t1 - 0.5) for one in screen]
    document = joined([], screen)
    assert [text for _, text in kept(document)] == lines
    repeats = [one for one in document.segments if one.suppressed_by]
    assert {one.suppressed_by for one in repeats} == {
        "repeat of 0.0",
        "repeat of 10.0",
        "repeat of 20.0",
    }


def test_a_slide_that_returns_is_a_repeat_of_the_first() -> None:
    first = [line(text, 0, 20, left(row)) for row, text in enumerate(("Agenda", "Data", "Models"))]
    other = [line(text, 20, 60, left(row)) for row, text in enumerate(("Data", "Two sources"))]
    back = [replace(one, t0=60.0, t1=80.0) for one in first]
    document = joined([], [*first, *other, *back])
    assert [text for _, text in kept(document)] == ["Agenda\nData\nModels", "Data\nTwo sources"]
    assert suppressed(document) == {"Agenda\nData\nModels": "repeat of 0.0"}


def test_columns_are_read_one_after_the_other() -> None:
    right: list[Box] = [(0.6, top, 0.9, top + 0.05) for _, top, _, _ in map(left, range(1, 4))]
    screen = [
        line("Two ways to go", 0, 30, (0.1, 0.02, 0.9, 0.07)),
        *(line(f"first {n}", 0, 30, left(n, 0.3)) for n in range(1, 4)),
        *(line(f"second {n}", 0, 30, box) for n, box in enumerate(right, start=1)),
    ]
    (slide,) = (text for _, text in kept(joined([], screen)))
    assert slide.split("\n") == [
        *("Two ways to go", "first 1", "first 2", "first 3", "second 1", "second 2", "second 3"),
    ]


def test_a_sentence_that_wraps_is_one_line() -> None:
    rows: list[tuple[str, float, float]] = [
        ("A sentence that is too long for a line of the slide goes on", 0.2, 0.9),
        ("with its last words below", 0.27, 0.45),
        ("and this bullet", 0.5, 0.3),
        ("is not that one", 0.57, 0.3),
    ]
    screen = [line(text, 0, 30, (0.1, top, right, top + 0.05)) for text, top, right in rows]
    (slide,) = (text for _, text in kept(joined([], screen)))
    assert slide.split("\n") == [f"{rows[0][0]} {rows[1][0]}", rows[2][0], rows[3][0]]


def test_what_stands_on_every_slide_is_not_told() -> None:
    screen = [line("Channel 5", 0, 120, (0.88, 0.03, 0.98, 0.08), static=False)]
    for n in range(6):
        topics = ("Snow", "Rocks", "Weather", "Ropes", "Camps", "Summit")
        screen += [
            line(topics[n], 20 * n, 20 * n + 19, left(0)),
            line(f"All about {topics[n].lower()}", 20 * n, 20 * n + 19, left(2)),
            line(f"{n + 1} / 6", 20 * n, 20 * n + 19, (0.9, 0.92, 0.95, 0.97)),
            line("University of the North", 20 * n, 20 * n + 19, (0.05, 0.92, 0.3, 0.97)),
        ]
    document = joined([], screen)
    assert len(kept(document)) == 6
    told = {one.suppressed_by: one.text for one in document.segments if one.suppressed_by}
    assert told["logo"] in ("Channel 5", "University of the North")
    assert {"logo", "furniture"} >= set(told)
    for text in ("Channel 5", "University", "/ 6"):
        assert text not in document.text


def test_a_title_that_stands_throughout_is_told_once() -> None:
    screen = [line("The title of this talk", 0, 120, (0.2, 0.05, 0.8, 0.12))]
    screen += [
        line(f"point {name}", 30 * n + 5, 120, left(n + 1)) for n, name in enumerate("abcd"[:3])
    ]
    assert [text for _, text in kept(joined([], screen))] == [
        *("The title of this talk", "point a", "point b", "point c")
    ]


def test_crumbs_are_noise() -> None:
    crumbs = [
        line("l", 3, 5, left(1), conf=0.6),
        line("~ -", 6, 9, left(2)),
        line("unreadable", 10, 15, left(3), conf=0.3),
        line("flash", 16, 16.3, left(4), conf=0.7, static=False),
    ]
    document = joined([], [*crumbs, line("Words", 30, 50, left(5))])
    assert [text for _, text in kept(document)] == ["Words"]
    assert suppressed(document) == {one.text: "noise" for one in crumbs}


def test_a_line_that_is_typed_is_told_when_it_is_whole() -> None:
    typed = ["def", "def area(r)", "def area(r): return"]
    screen = [line(text, 5 + n, 6 + n, left(2, 0.02 * len(text))) for n, text in enumerate(typed)]
    screen[-1] = replace(screen[-1], t1=30.0)
    assert [text for _, text in kept(joined([], screen))] == [typed[-1]]


def test_lines_that_differ_in_a_figure_are_both_told() -> None:
    screen = [line("Chapter 11", 0, 20, left(1)), line("Chapter 12", 20, 40, left(1))]
    assert [text for _, text in kept(joined([], screen))] == ["Chapter 11", "Chapter 12"]


@pytest.mark.parametrize(
    ("text", "doubts"),
    [
        ("请不吝点赞订阅转发", {}),
        ("字幕by索兰娅", {}),
        ("请不吝点赞订阅转发打赏支持明镜与点点栏目", {}),
        ("字幕由Amara.org社区提供", {}),
        ("中文字幕志愿者李宗盛", {}),
        (" Subtitles by the Amara.org community", {}),
        (" Captions by GetTranscribed.com", {}),
        (" Transcribed by https://otter.ai", {}),
        (" Thanks for watching!", {"no_speech_prob": 0.5}),
        (" Thank you.", {"avg_logprob": -0.9}),
        (" Something or other", {"avg_logprob": -1.2, "no_speech_prob": 0.8}),
    ],
)
def test_what_nobody_said_is_left_out(text: str, doubts: dict[str, float]) -> None:
    real = spoken(" This was said.", 1, 3)
    document = joined([real, spoken(text, 10, 12, **doubts)])
    assert document.text == "This was said."
    assert suppressed(document).keys() == {text.strip()}


@pytest.mark.parametrize(
    "text",
    [
        " You can add captions by clicking on the button below.",
        " Captions by default are white.",
        " We translated all of these subtitles by Hand and Foot and put them on amara.org for you.",
        "这个软件里字幕由人工智能自动生成非常方便",
        " The captions bypass the filter.",
    ],
)
def test_a_sentence_that_has_a_stock_phrase_in_it_stands(text: str) -> None:
    for doubts in ({}, {"avg_logprob": -0.9}):
        document = joined([spoken(text, 10, 16, **doubts)])
        assert (document.text, suppressed(document)) == (text.strip(), {})


def test_thanks_that_were_heard_clearly_stand() -> None:
    assert joined([spoken(" Thanks for watching!", 10, 12)]).text == "Thanks for watching!"


def test_a_loop_is_told_once() -> None:
    loop = spoken(" I see." * 8, 10, 18, compression_ratio=4.0)
    document = joined([spoken(" Now look here.", 5, 8), loop, spoken(" Done.", 20, 21)])
    assert tokens(document.text) == tokens("Now look here. I see. Done.")
    assert set(suppressed(document).values()) == {"repeat of 10.0"}
    sure = joined([spoken(" Row." * 9, 10, 18)])
    assert sure.text == "Row."
    twice = joined([spoken(" No, no, I see it.", 5, 8)])
    assert twice.text == "No, no, I see it."


def test_speech_flows_and_slides_stand_before_what_is_said_of_them() -> None:
    talk = [
        spoken(" Good morning.", 1, 2),
        spoken(" Let us begin.", 2.3, 4),
        spoken(" Here you see the summit.", 10.2, 11.7),
        spoken(" It is high.", 11.9, 13),
        spoken(" And after a pause, more.", 20, 23),
    ]
    slide = [line("The summit", 10.4, 40, left(1)), line("8,849 m", 10.4, 40, left(3))]
    assert joined(talk, slide).text.split("\n\n") == [
        "Good morning. Let us begin.",
        "The summit\n8,849 m",
        "Here you see the summit. It is high.",
        "And after a pause, more.",
    ]


def test_a_slide_in_the_midst_of_an_utterance_waits_for_the_sentence() -> None:
    talk = spoken(" That was the first part. Now to the second part of it.", 10, 20)
    border = next(word.t0 for word in talk.words if "Now" in word.text)
    slide = line("Second part", border + 0.5, 60, left(1))
    assert joined([talk], [slide]).text.split("\n\n") == [
        "That was the first part.",
        "Second part",
        "Now to the second part of it.",
    ]


def test_chinese_joins_without_spaces_and_latin_with() -> None:
    talk = [
        spoken("我们来看", 1, 2),
        spoken("这张图。", 2.1, 3),
        spoken(" It shows", 3.2, 4),
        spoken(" growth.", 4.1, 5),
    ]
    assert joined(talk).text == "我们来看这张图。 It shows growth."


def test_captions_are_paragraphs_and_told_once() -> None:
    said = ("A man climbs a wall.", "A man climbs a wall!", "Snow falls.")
    captions = tuple(
        Caption(t0=10.0 * n, t1=10.0 * n + 10, text=text) for n, text in enumerate(said)
    )
    document = join(media(), [], [], [Captioned(captions=captions)], JoinConfig())
    assert document.text == "A man climbs a wall.\n\nSnow falls."
    assert suppressed(document) == {said[1]: "repeat of 0.0"}


@pytest.mark.parametrize("seed", range(4))
def test_coverage_is_the_share_of_moments_with_text(seed: int) -> None:
    talk = Talk(seed, holes=True)
    document = talk.joined()
    end, step = talk.cues[-1][1] + 1, 0.01
    standing = [one for one in document.segments if one.suppressed_by is None]
    moments = [n * step for n in range(int(end / step))]
    covered = sum(any(one.t0 <= t < one.t1 for one in standing) for t in moments)
    assert document.text_coverage == pytest.approx(covered / len(moments), abs=0.01)


def test_nothing_gives_nothing() -> None:
    document = joined()
    assert (document.text, document.segments, document.text_coverage) == ("", (), 0.0)
    assert joined(duration_s=0.0).text_coverage is None


def test_the_text_is_that_of_its_segments() -> None:
    document = Talk(3, holes=True).joined()
    assert compose(document.segments) == document.text
    assert compose(one for one in document.segments if one.suppressed_by is None) == document.text


def test_segments_know_their_shot() -> None:
    watched = Watched(shots=((0.0, 10.0), (10.0, 30.0)), lines=(line("Words", 12, 20, left(1)),))
    document = join(
        media(), [Heard(utterances=(spoken(" Hello.", 1, 2),))], [watched], [], JoinConfig()
    )
    assert [one.shot for one in document.segments] == [0, 1]
    assert document.shots == watched.shots
