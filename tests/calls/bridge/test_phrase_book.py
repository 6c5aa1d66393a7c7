import tomllib

import pytest
from django.core.management import CommandError, call_command

from apps.calls.bridge import phrase_book
from apps.calls.bridge.phrase_book import BUNDLED, BadPhrase, as_wav, samples
from apps.calls.media.audio import decode_pcmu, loudness

LANGUAGES = ("en", "es", "cs")


def test_every_language_has_several_ways_to_ask_for_patience_and_one_to_apologise():
    book = phrase_book.load()
    for language in LANGUAGES:
        assert len(book.waits[language]) >= 3
        assert len({phrase.text for phrase in book.waits[language]}) == len(book.waits[language])
        first = sum(piece.ms for piece in book.waits[language][0].pieces)
        assert 500 < first < 2000  # short: the provider is often back at once
        assert book.apology[language].pieces
        assert book.transfer[language].pieces


def test_what_is_recorded_is_loud_enough_to_be_heard_and_no_click():
    for path in BUNDLED.glob("*.wav"):
        assert 800 < loudness(decode_pcmu(samples(path))) < 8000, path.name


def test_there_is_a_recording_for_each_text_and_a_text_for_each_recording():
    texts = tomllib.loads((BUNDLED / "phrases.toml").read_text())
    named = {f"{language}-{name}.wav" for language, of in texts.items() for name in of}
    assert {path.name for path in BUNDLED.glob("*.wav")} == named


def test_an_operators_recording_goes_before_ours(tmp_path):
    (tmp_path / "en-wait-1.wav").write_bytes(as_wav(b"\x55" * 800))
    (tmp_path / "phrases.toml").write_text('[en]\nwait-1 = "Hold on."\n')
    mine = phrase_book.load(tmp_path)
    assert (mine.waits["en"][0].text, mine.waits["en"][0].pieces[0].data) == ("Hold on.", b"\x55" * 800)
    assert mine.waits["en"][1] == phrase_book.load().waits["en"][1]


@pytest.mark.parametrize("content", [b"", b"RIFF....WAVE", b"RIFF\0\0\0\0WAVEdata\x04\0\0\0abcd", b"ID3"])
def test_what_is_no_telephone_recording_is_refused(tmp_path, content):
    path = tmp_path / "en-wait-1.wav"
    path.write_bytes(content)
    with pytest.raises(BadPhrase):
        samples(path)


def test_a_missing_recording_is_named(tmp_path):
    (tmp_path / "phrases.toml").write_text('[en]\nwait-9 = "Hm."\n')
    with pytest.raises(BadPhrase, match=r"en-wait-9\.wav"):
        phrase_book.load(tmp_path)


def test_sentences_are_rendered_by_any_program_that_writes_a_wav_file(tmp_path):
    (tmp_path / "phrases.toml").write_text('[en]\nwait-1 = "Hold on."\n')
    program = tmp_path / "speak.py"
    program.write_text(
        "import math, sys, wave\n"
        "with wave.open(sys.argv[1], 'wb') as out:\n"
        "    out.setnchannels(1); out.setsampwidth(2); out.setframerate(22050)\n"
        "    wave_ = (int(3000 * math.sin(k / 10)) for k in range(22050))\n"
        "    out.writeframes(b''.join(s.to_bytes(2, 'little', signed=True) for s in wave_))\n"
    )
    call_command("render_phrases", directory=tmp_path, speak=f"python3 {program} {{file}}")
    rendered = samples(tmp_path / "en-wait-1.wav")
    assert len(rendered) == 8000
    assert loudness(decode_pcmu(rendered)) > 2000


def test_a_program_that_cannot_speak_is_reported(tmp_path):
    (tmp_path / "phrases.toml").write_text('[en]\nwait-1 = "Hold on."\n')
    with pytest.raises(CommandError, match="did not speak"):
        call_command("render_phrases", directory=tmp_path, speak="false {file}")


def test_a_phrase_is_split_into_messages_a_carrier_takes():
    pieces = phrase_book.split(b"\x55" * 4000)
    assert [piece.ms for piece in pieces] == [200, 200, 100]


def test_a_recording_survives_the_file(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(as_wav(b"\x55" * 801))
    assert samples(path) == b"\x55" * 801
