"""Frame extraction: what is dropped, what is kept, what is listed."""

import json
from fractions import Fraction
from pathlib import Path

import cv2
import films
import numpy as np
import pytest
from films import extract, rows

from animegan_tf import files
from animegan_tf.errors import InputError
from animegan_tf.extract import videos as frame_videos
from animegan_tf.extract.options import FrameOptions


def test_one_picture_of_each_shot(four_shots, tmp_path):
    output = tmp_path / "ghost" / "style"
    report = extract(four_shots, output)
    assert (report.shots, report.kept, report.pictures, report.new) == (4, 4, 4, 4)
    assert report.samples == 24 == report.kept + sum(report.dropped.values())
    assert (report.problems, report.speed > 0) == ((), True)
    listed = rows(output)
    assert [row["shot"] for row in listed] == ["1", "2", "3", "4"]
    assert [row["file"] for row in listed] == [path.name for path in files.list_images(output)]
    for row in listed:
        milliseconds = round(float(row["seconds"]) * 1000)
        assert row["file"] == f"four_0h00m0{milliseconds // 1000}.{milliseconds % 1000:03}_c0.png"
        assert float(row["shot_start"]) <= float(row["seconds"]) <= float(row["shot_end"])
        assert row["why"].startswith("sharpest of ")
        assert int(row["nearest_bits"]) >= 12
        picture = files.decode_color((output / row["file"]).read_bytes(), row["file"])
        assert picture.shape == (64, 64, 3)
        scaled = cv2.resize(films.scene(int(row["shot"])), (114, 64), interpolation=cv2.INTER_AREA)
        left = int(row["left"])
        difference = picture.astype(int) - scaled[:, left : left + 64]
        assert np.abs(difference).mean() < 8  # 4:2:0 blurs colours
    names = sorted(path.name for path in output.parent.iterdir())
    assert names == [
        ".style_frames", "style", "style_frames.csv", "style_frames.json", "style_frames.png",
    ]  # fmt: skip
    summary = json.loads((output.parent / "style_frames.json").read_text("utf-8"))
    assert summary[0]["dropped"] == report.dropped
    assert summary[0]["films"][0]["shots"] == 4
    sheet = cv2.imread(str(output.parent / "style_frames.png"))
    assert sheet.shape == (2 * (96 + 14), 3 * 96, 3)


def test_what_is_seen_twice_is_kept_once(tmp_path):
    folder = tmp_path / "films"
    folder.mkdir()
    films.write_parts(folder / "a.mkv", (1, 1), (2, 1), (1, 1), (3, 1))
    films.write_parts(folder / "b.mkv", (2, 1), (4, 1))
    report = extract(folder, tmp_path / "style", per_shot=1, every=0)
    assert (report.kept, report.dropped["near-duplicates"]) == (4, 2)
    alike = extract(folder, tmp_path / "all", per_shot=1, every=0, min_distance=0)
    assert alike.kept == 6


def test_blends_black_and_credits_are_not_kept(tmp_path):
    one, other = films.scene(1), films.scene(2)
    black = np.zeros_like(one)
    text = np.zeros_like(one)
    cv2.putText(text, "THE END", (40, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1)
    pictures = [*[one] * 24, *films.dissolve(one, other, 18), *[other] * 24]
    pictures += [*films.dissolve(other, black, 18), *[black] * 12, *[text] * 24]
    films.write_film(tmp_path / "a.mkv", pictures, codec="ffv1")
    report = extract(tmp_path / "a.mkv", tmp_path / "style", every=0.25, min_distance=1)
    assert {"black", "flat", "blended"} <= set(report.dropped)
    seconds = [float(row["seconds"]) for row in rows(tmp_path / "style")]
    assert seconds
    for second in seconds:  # the dissolve is from 1 to 1.75, the fade from 2.75 on
        assert second < 1 or 1.75 <= second < 2.75


def test_blurred_frames_are_dropped_by_the_film_s_own_measure(tmp_path):
    parts = [(seed, 1) for seed in range(5)]
    film = films.write_parts(tmp_path / "a.mkv", *parts, (films.blurred(films.scene(9), 3), 1))
    report = extract(film, tmp_path / "style", per_shot=1, every=0)
    assert (report.kept, report.dropped["blurred"]) == (5, 1)
    assert extract(film, tmp_path / "all", per_shot=1, every=0, min_sharpness=0).kept == 6
    soft = [(films.blurred(films.scene(seed), 3), 1) for seed in range(5)]
    film = films.write_parts(tmp_path / "soft.mkv", *soft)
    assert extract(film, tmp_path / "soft", per_shot=1, every=0).kept == 5


def test_bars_are_cut(tmp_path):
    pictures = [
        cv2.copyMakeBorder(films.scene(seed), 10, 10, 0, 0, cv2.BORDER_CONSTANT)
        for seed in range(6)
    ]
    film = films.write_parts(tmp_path / "a.mkv", *((picture, 1) for picture in pictures))
    report = extract(film, tmp_path / "style")
    assert "a.mkv: black bars removed: 12 px top, 12 px bottom" in report.notes
    assert report.kept == 6
    for path in files.list_images(tmp_path / "style"):
        picture = files.decode_color(path.read_bytes(), path)
        assert min(picture[0].max(), picture[-1].max()) > 40


@pytest.mark.parametrize("count", [1, 3, 5])
def test_count(tmp_path, count):
    film = films.write_parts(tmp_path / "a.mkv", *((seed, 0.75) for seed in range(8)))
    report = extract(film, tmp_path / "style", count=count, per_shot=1, every=0)
    assert (report.pictures, report.dropped["not needed"]) == (count, 8 - count)
    kept = [int(row["shot"]) for row in rows(tmp_path / "style")]
    assert min(np.diff(kept), default=2) >= (2 if count < 5 else 1)
    assert not any("requested" in note for note in report.notes)


def test_fewer_than_asked_for(four_shots, tmp_path):
    (note,) = extract(four_shots, tmp_path / "style", count=5).notes
    assert note.startswith("5 images were requested, but only 4 distinct ones were found;")
    assert extract(four_shots, tmp_path / "all", count=0).notes == ()


def test_crops(four_shots, tmp_path):
    report = extract(four_shots, tmp_path / "style", short_side=128, crops=4, count=9)
    assert (report.kept, report.pictures) == (3, 9)
    by_frame = {}
    for row in rows(tmp_path / "style"):
        assert row["file"].endswith(f"_c{row['crop']}.png")
        by_frame.setdefault(row["timecode"], []).append((int(row["top"]), int(row["left"])))
    assert sorted(map(len, by_frame.values())) == [1, 4, 4]
    grid = [(top, left) for top in (0, 64) for left in (0, 82, 164)]  # of 128 x 228
    for places in by_frame.values():
        assert set(places) <= set(grid)
        assert len(set(places)) == len(places)
    assert "four.mkv: enlarged from 128x72" in report.notes
    many = extract(four_shots, tmp_path / "many", crops=2)
    assert any(note.startswith("four.mkv: 1 of 2 crops fit") for note in many.notes)


def test_flat_crops_are_replaced_by_other_frames(tmp_path):
    halves = []
    for seed in range(5):
        half = films.scene(seed)
        half[:, 60:] = 128  # the right one of two crops is flat
        halves.append((half, 1))
    film = films.write_parts(tmp_path / "a.mkv", *halves)
    report = extract(film, tmp_path / "style", crops=2, count=4, per_shot=1, every=0, size=56)
    assert (report.pictures, report.kept) == (4, 4)
    assert {row["left"] for row in rows(tmp_path / "style")} == {"0"}


def test_high_dynamic_range_is_noted(tmp_path):
    film = films.write_parts(tmp_path / "a.mkv", (1, 1), transfer=16, pixels="yuv420p10le")
    notes = extract(film, tmp_path / "style").notes
    assert "a.mkv: its high dynamic range is mapped to that of SDR" in notes


def test_jpeg(four_shots, tmp_path):
    extract(four_shots, tmp_path / "style", format="jpg", count=2)
    pictures = files.list_images(tmp_path / "style")
    assert [path.suffix for path in pictures] == [".jpg"] * 2
    assert all(path.read_bytes().startswith(b"\xff\xd8") for path in pictures)


# --- films ---------------------------------------------------------------------------------------


def test_times_are_exact_in_the_list(tmp_path):
    shown = [Fraction(1001 * index, 24000) for index in range(48)]
    film = films.write_film(
        tmp_path / "a.mp4", [films.scene(1)] * 24 + [films.scene(2)] * 24, times=shown,
        time_base=Fraction(1, 24000),
    )  # fmt: skip
    extract(film, tmp_path / "style")
    for row in rows(tmp_path / "style"):
        index = float(row["seconds"]) * 24000 / 1001
        assert index == pytest.approx(round(index), abs=1e-3)


def test_a_film_cut_short_is_used_as_far_as_it_goes(tmp_path):
    film = films.write_parts(tmp_path / "a.mkv", *((seed, 1) for seed in range(6)))
    film.write_bytes(film.read_bytes()[: film.stat().st_size * 6 // 10])
    report = extract(film, tmp_path / "style")
    assert report.kept in (3, 4)
    (problem,) = report.problems
    assert problem.startswith("a.mkv: cut short: stops at 0h00m03.")
    assert problem.endswith(" of 0h00m06.000")
    assert extract(film, tmp_path / "style").problems == (problem,)


def test_video_names():
    names = ("a b.mkv", "千と千尋.mkv", 'x:"y?.avi', "c.avi", "C.mkv", "..avi")
    assert list(frame_videos.video_names([Path(name) for name in names]).values()) == [
        "a_b", "千と千尋", "x__y", "c.avi", "C.mkv", "film",
    ]  # fmt: skip
    assert list(frame_videos.video_names([Path("a b.mp4"), Path("a_b.mp4")]).values()) == [
        "a_b.mp4", "a_b.mp4-2",
    ]  # fmt: skip
    (long,) = frame_videos.video_names([Path("千" * 80 + ".mkv")]).values()
    assert long == "千" * 50


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": 6}, "start: expected less than the 0h00m06.000 of {film}, received 0h00m06.000"),
        (
            {"skip_opening": 90},
            "skip_opening: expected less than the 0h00m06.000 of {film}, received 0h01m30.000",
        ),
        (
            {"start": 2, "end": -4},
            "end: expected a time after 0h00m02.000 within the 0h00m06.000 of {film}, received -4",
        ),
    ],
)
def test_parts_that_a_film_has_not(four_shots, tmp_path, options, message):
    with pytest.raises(InputError) as caught:
        extract(four_shots, tmp_path / "style", **options)
    assert str(caught.value) == message.format(film=four_shots)
    assert list(tmp_path.iterdir()) == []


def test_an_end_counted_from_the_film_s_end(four_shots, tmp_path):
    report = extract(four_shots, tmp_path / "style", skip_opening=1.5, end=-1.5)
    assert (report.frames, report.kept) == (72, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": -1}, "count: expected a whole number of at least 0, received -1"),
        ({"per_shot": 0}, "per_shot: expected a whole number of at least 1, received 0"),
        ({"per_shot": 1.5}, "per_shot: expected a whole number of at least 1, received 1.5"),
        ({"crops": True}, "crops: expected a whole number of at least 1, received True"),
        ({"size": 8}, "size: expected a whole number of at least 32, received 8"),
        (
            {"short_side": 255},
            "short_side: expected a whole number of at least 256, received 255",
        ),
        ({"min_distance": 65}, "min_distance: expected a whole number from 0 to 64, received 65"),
        ({"min_sharpness": 2}, "min_sharpness: expected a number from 0 to 1, received 2"),
        ({"every": -1}, "every: expected seconds of at least 0, received -1"),
        ({"start": float("nan")}, "start: expected seconds of at least 0, received nan"),
        ({"start": 5, "end": 3}, "end: expected more than the start at 5 s, received 3"),
        ({"skip_opening": 5, "end": 3}, "end: expected more than the start at 5 s, received 3"),
        ({"end": "1"}, "end: expected seconds, received '1'"),
        ({"format": "gif"}, "format: expected one of png, jpg, received 'gif'"),
        ({"deinterlace": "no"}, "deinterlace: expected one of auto, on, off, telecine, received 'no'"),
    ],
)
def test_option_mistakes(options, message):
    with pytest.raises(InputError) as caught:
        FrameOptions(**options)
    assert str(caught.value) == message
