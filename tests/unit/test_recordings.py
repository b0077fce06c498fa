"""Sound and pictures are decoded at exact times, and every unusable recording is told why."""

import tracemalloc

import numpy as np
import pytest
from recordings import cut_short, grey, read_wav, speak, tone, write_video, write_wav

from ercframe import NotAvailableError
from ercframe.data.views import views_of
from ercframe_plugins.extractors.pictures import read_pictures
from ercframe_plugins.extractors.recording import Clip, clip_of
from ercframe_plugins.extractors.sound import pieces, read_sound

pytestmark = pytest.mark.extra


def sound(clip, rate=16_000):
    return np.concatenate(list(read_sound(clip, rate)))


def levels(clip, fps):
    """Mean grey of each picture."""
    return [round(float(picture.mean())) for picture in read_pictures(clip, fps)]


def test_a_wav_at_its_own_rate_is_read_as_it_is(tmp_path):
    path = speak(tmp_path / "a.wav", "I am so glad to see you")
    np.testing.assert_array_equal(sound(Clip(path), 22_050), read_wav(path))


def test_stereo_of_8_khz_becomes_the_mean_at_the_asked_rate(tmp_path):
    left, right = tone(1, 8000, 200), tone(1, 8000, 300)
    path = write_wav(tmp_path / "a.wav", np.stack([left, right], axis=1), 8000)
    heard = sound(Clip(path))
    assert heard.shape == (16_000,)
    assert heard.dtype == np.float32
    expected = (tone(1, 16_000, 200) + tone(1, 16_000, 300)) / 2
    np.testing.assert_allclose(heard[200:-200], expected[200:-200], atol=1e-3)


@pytest.mark.parametrize(("start", "end"), [(0.0, 0.5), (0.3, 0.8), (1.7, 2.9), (2.5, None)])
def test_a_part_equals_a_file_of_that_part_alone(tmp_path, start, end):
    whole = (np.random.default_rng(0).normal(size=3 * 22_050) / 10).astype("float32")
    path = write_wav(tmp_path / "whole.wav", whole, 22_050)
    stop = None if end is None else round(end * 22_050)
    alone = write_wav(tmp_path / "alone.wav", whole[round(start * 22_050) : stop], 22_050)
    np.testing.assert_array_equal(sound(Clip(path, start, end)), sound(Clip(alone)))


def test_what_the_encoder_added_at_the_end_is_left_out(tmp_path):
    path = write_video(tmp_path / "a.mp4", [grey(99)] * 10, 10, tone(1))
    assert len(sound(Clip(path))) == 16_000


def test_a_part_of_a_video_sounds_like_the_whole_there(tmp_path):
    noise = (np.random.default_rng(0).normal(size=80_000) / 10).astype("float32")
    path = write_video(tmp_path / "a.mp4", [grey(99)] * 50, 10, noise)
    np.testing.assert_array_equal(sound(Clip(path, 3.0, 4.0)), sound(Clip(path))[48_000:64_000])


def test_long_sound_is_cut_in_pieces_of_bounded_length():
    def lengths(total, size):
        blocks = np.array_split(np.arange(total, dtype="float32"), 7)
        cut = list(pieces(blocks, size))
        np.testing.assert_array_equal(np.concatenate(cut), np.arange(total, dtype="float32"))
        return [len(piece) for piece in cut]

    assert lengths(149, 100) == [149]
    assert lengths(150, 100) == [100, 50]
    assert lengths(1049, 100) == [100] * 9 + [149]
    assert list(pieces([], 100)) == []


def test_forty_minutes_are_read_in_little_memory(tmp_path):
    path = write_wav(tmp_path / "long.wav", np.zeros(40 * 60 * 1000, "float32"), 1000)
    list(read_sound(Clip(path, 0.0, 1.0), 1000))  # imports what it needs, which takes more
    tracemalloc.start()
    total = sum(map(len, pieces(read_sound(Clip(path), 1000), 30_000)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 40 * 60 * 1000
    assert peak < 1e6, "the whole is 9.6 MB"


def test_pictures_are_taken_in_the_middle_of_equal_steps(tmp_path):
    path = write_video(tmp_path / "a.mp4", [grey(20 * i) for i in range(10)], 10)
    assert levels(Clip(path), 10) == pytest.approx([20 * i for i in range(10)], abs=3)
    assert levels(Clip(path), 2) == pytest.approx([40, 140], abs=3)  # at 0.25 and 0.75 s
    assert levels(Clip(path, 0.5, 0.9), 5) == pytest.approx([120, 160], abs=3)  # at 0.6 and 0.8 s
    assert len(levels(Clip(path), 25)) == 25


@pytest.mark.parametrize("codec", ["h264", "mpeg4"])
def test_a_part_far_into_a_video_shows_what_the_whole_shows_there(tmp_path, codec):
    path = write_video(tmp_path / "a.mp4", [grey(i) for i in range(0, 250, 2)], 10, codec=codec)
    whole, part = list(read_pictures(Clip(path), 10)), list(read_pictures(Clip(path, 8.0, 10.0), 10))
    np.testing.assert_array_equal(part, whole[80:100])


def test_irregular_pictures_are_seen_until_the_next_one(tmp_path):
    path = write_video(tmp_path / "a.mp4", [grey(i) for i in (0, 50, 100, 150)], 10, times=[0, 1, 6, 9])
    assert levels(Clip(path), 10)[:9] == pytest.approx([0] + [50] * 5 + [100] * 3, abs=3)


def test_a_clip_shorter_than_a_step_gives_one_picture(tmp_path):
    path = write_video(tmp_path / "a.mp4", [grey(80), grey(160)], 10)
    assert levels(Clip(path), 1) == pytest.approx([160], abs=3)
    assert levels(Clip(path, 0.01, 0.02), 1) == pytest.approx([80], abs=3)


def test_pictures_stand_upright(tmp_path):
    half = np.concatenate([grey(0, 48, 32), grey(200, 48, 32)], axis=1)  # bright on the right
    path = write_video(tmp_path / "a.mp4", [half] * 3, 10, turned=90)
    (picture,) = read_pictures(Clip(path), 1)
    assert picture.shape == (64, 48, 3)
    assert picture[:28].mean() > 190, "turned counterclockwise, the right side is on top"
    assert picture[36:].mean() < 10


def test_decoding_twice_gives_the_same_bytes(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (5, 48, 64, 3), "uint8")
    path = write_video(tmp_path / "a.mp4", list(noise), 10, tone(0.5))
    np.testing.assert_array_equal(sound(Clip(path)), sound(Clip(path)))
    np.testing.assert_array_equal(list(read_pictures(Clip(path), 10)), list(read_pictures(Clip(path), 10)))


def refused(clip, kind="audio"):
    """The reason, and whether the recording is broken."""
    with pytest.raises(NotAvailableError) as caught:
        list(read_sound(clip, 16_000) if kind == "audio" else read_pictures(clip, 1))
    return caught.value.reason, caught.value.broken


def test_a_missing_file_is_told(tmp_path):
    assert refused(Clip(tmp_path / "a.wav")) == ("no such file", True)


def test_a_file_without_a_byte_is_told(tmp_path):
    (tmp_path / "a.wav").touch()
    assert refused(Clip(tmp_path / "a.wav")) == ("a file of 0 bytes", True)


@pytest.mark.parametrize("name", ["a.wav", "a.mp4"])
def test_text_is_no_recording(tmp_path, name):
    (tmp_path / name).write_text("Oh my God!\n" * 99)
    assert refused(Clip(tmp_path / name)) == ("cannot be decoded: Invalid data found when processing input", True)


def test_text_is_not_drawn_as_a_terminal_would(tmp_path):
    (tmp_path / "a.txt").write_text("Oh my God!\n" * 99)
    assert refused(Clip(tmp_path / "a.txt"), "video") == ("no video track", False)


def test_a_playlist_reaches_no_other_place(tmp_path):
    (tmp_path / "a.m3u8").write_text("#EXTM3U\n#EXTINF:1,\nhttp://localhost:9/a.ts\n#EXT-X-ENDLIST\n")
    assert refused(Clip(tmp_path / "a.m3u8")) == ("cannot be decoded: Invalid data found when processing input", True)


def test_a_good_header_without_samples_is_told(tmp_path):
    assert refused(Clip(write_wav(tmp_path / "a.wav", tone(0)))) == ("the audio track is empty", True)


def test_a_file_without_the_track_has_nothing_to_extract(tmp_path):
    assert refused(Clip(write_video(tmp_path / "a.mp4", [grey(9)] * 3))) == ("no audio track", False)
    assert refused(Clip(write_wav(tmp_path / "a.wav", tone(1))), "video") == ("no video track", False)


def test_a_video_that_lost_its_end_is_told(tmp_path):
    path = cut_short(write_video(tmp_path / "a.mp4", [grey(9)] * 20), 0.5)
    assert refused(Clip(path), "video") == ("cannot be decoded: Invalid data found when processing input", True)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.9])
def test_a_video_that_lost_its_end_but_not_its_index_is_told(tmp_path, share):
    noise = np.random.default_rng(0).integers(0, 256, (40, 48, 64, 3), "uint8")
    path = cut_short(write_video(tmp_path / "a.mp4", list(noise), 10, movflags="faststart"), share)
    reason, broken = refused(Clip(path), "video")
    assert broken
    assert reason.startswith(("the video track ends before its header says so", "cannot be decoded"))
    assert len(list(read_pictures(Clip(path, 0.0, 0.5), 10))) == 5, "what is there can still be used"


def test_a_part_outside_the_recording_is_told(tmp_path):
    path = write_wav(tmp_path / "a.wav", tone(2))
    outside = ("start or end lies outside the recording", True)
    assert refused(Clip(path, 3.0, 4.0)) == outside
    assert refused(Clip(path, 1.0, 9.0)) == outside
    assert refused(Clip(path, 1.0, 1.0)) == ("end is not after start", True)
    assert len(sound(Clip(path, 1.0, 2.4))) == 16_000, "times are rounded: a little too far is cut"


def test_a_turn_is_the_whole_of_its_own_file_and_a_part_of_a_shared_one(tmp_path):
    files = [{"audio": "a.wav"}, {"audio": "all.wav"}, {"video": "all.wav"}]
    record = {
        "id": "d",
        "utterances": [
            {"id": str(i), "speaker": "Ann", "start": i, "end": i + 0.5, "media": media}
            for i, media in enumerate(files)
        ],
    }
    assert [clip_of(turn, "audio") for turn in views_of(record, tmp_path)] == [
        Clip(tmp_path / "a.wav"),
        Clip(tmp_path / "all.wav", 1, 1.5),
        Clip(tmp_path / "all.wav", 2, 2.5),
    ]
    del record["utterances"][1]["end"]
    assert [turn.lacks(["audio"]) for turn in views_of(record, tmp_path)] == ["", "no start and end", ""]
