"""The first look at a film: shots, parts, samples; and frames found again by it."""

import dataclasses

import cv2
import films
import numpy as np
import pytest

from animegan_tf.extract import quality, writer
from animegan_tf.extract import scan as frame_scan
from animegan_tf.extract.record import Record
from animegan_tf.video.reader import VideoReader


def scan(path, *arguments, **options):
    with VideoReader(path) as reader:
        return frame_scan.scan(reader, *arguments, **options)


def test_four_shots(four_shots):
    found = scan(four_shots, per_shot=1, every=0)
    assert (found.frames, found.shots, found.problems, found.clean_times) == (144, 4, (), True)
    assert [(one.shot, one.shot_start, one.shot_end) for one in found.candidates] == [
        (1, 0, 1.5), (2, 1.5, 2.5), (3, 2.5, 4.5), (4, 4.5, pytest.approx(143 / 24, abs=1e-3)),
    ]  # fmt: skip
    assert [one.begins for one in found.candidates] == ["start", "cut", "cut", "cut"]
    # four samples a second: the first of the later shots are at the cuts
    assert (found.samples, found.dropped["at a cut"]) == (24, 3)
    assert [one.time for one in found.candidates] == [0, 1.75, 2.75, 4.75]
    assert sum(found.dropped.values()) + len(found.candidates) == found.samples


def test_parts_of_a_shot(four_shots):
    third = [one for one in scan(four_shots, per_shot=2, every=0).candidates if one.shot == 3]
    assert [(one.part, one.parts) for one in third] == [(1, 2), (2, 2)]
    assert third[0].time < 3.5 <= third[1].time
    longer = scan(four_shots, per_shot=1, every=0.5).candidates
    assert [one.parts for one in longer if one.shot in (1, 3)] == [3, 3, 3, 4, 4, 4, 4]


def test_start_and_end(four_shots):
    found = scan(four_shots, 1.5, 4.5, per_shot=1, every=0)
    assert (found.frames, found.shots) == (72, 2)
    assert all(1.5 <= one.time < 4.5 for one in found.candidates)


def test_a_scan_survives_json(four_shots, tmp_path):
    found = scan(four_shots)
    record = Record(tmp_path / "style")
    for kept in (found, dataclasses.replace(found, keyframes=None)):
        record.save_scan(["a"], kept)
        assert frame_scan.Scan.from_json(record.load_scan(["a"])) == kept


def test_the_sharpest_of_a_part_is_its_candidate(tmp_path):
    soft = films.blurred(films.scene(1), 0.8)
    path = films.write_parts(tmp_path / "a.mkv", (soft, 0.75), (1, 0.25), (soft, 0.75))
    (only,) = scan(path, per_shot=1, every=0).candidates
    assert 0.75 <= only.time < 1
    assert only.sampled == 7


def test_interlaced_films_are_measured_by_one_field(tmp_path):
    pictures = [films.scene(1)] * 24
    for index, picture in enumerate(pictures):
        picture = pictures[index] = picture.copy()
        picture[::2] = np.roll(picture[::2], 4, axis=1)  # the other field is of another moment
    path = films.write_film(tmp_path / "a.mkv", pictures, codec="ffv1", interlaced=True)
    with VideoReader(path) as reader:
        frame = next(reader.frames(as_stored=True))
        gray = frame_scan.sample_picture(frame, reader.info, quality.Bars())
    shifted = cv2.cvtColor(np.roll(films.scene(1), 4, axis=1), cv2.COLOR_RGB2GRAY)
    field = cv2.resize(shifted[::2], (128, 72), interpolation=cv2.INTER_AREA)
    assert np.abs(gray.astype(int) - field).mean() < 3


def test_frames_that_seeking_does_not_find_are_read_in_order(four_shots):
    found = scan(four_shots, per_shot=1, every=0)
    hashes = {one.time: one.hash for one in found.candidates}

    class Astray(VideoReader):
        """One that finds a frame a second later, as long as it seeks."""

        def frames_at(self, times, keyframes=None):
            for frame in super().frames_at(times, keyframes):
                if self.clean_times:
                    later = next(super().frames_at([frame.time + 1]))
                    later.time = frame.time
                    yield later
                else:
                    yield frame

    with Astray(four_shots) as reader:
        again = [
            (frame.time, quality.perceptual_hash(frame.gray()))
            for frame in writer.find_again(reader, found, hashes)
        ]
    assert again == list(hashes.items())
