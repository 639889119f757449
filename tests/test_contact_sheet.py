"""Contact sheets: what is where on them."""

import cv2
import films
import numpy as np
import pytest

from animegan_tf import contact_sheet
from animegan_tf.errors import InputError


def test_contact_sheet_of_pictures():
    colors = [(250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 0), (250, 0, 250)]
    pictures = [np.full((40, 80, 3), color, np.uint8) for color in colors]
    sheet = contact_sheet.draw(pictures, tile=20)
    assert sheet.shape == (40, 60, 3)  # 3 columns of 2 rows
    assert [tuple(sheet[10, x]) for x in (10, 30, 50)] == colors[:3]
    assert tuple(sheet[2, 10]) == (24, 24, 24)  # 80x40 becomes 20x10, in the middle
    labelled = contact_sheet.draw(pictures, [str(index) for index in range(5)], tile=20)
    assert labelled.shape == (68, 60, 3)
    assert labelled[20:34].max() > 100


def test_contact_sheet_of_files(tmp_path):
    paths = []
    for index in range(9):
        paths.append(tmp_path / f"{index}.png")
        picture = np.full((8, 8, 3), 20 * index + 60, np.uint8)
        paths[-1].write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    paths[1].write_bytes(b"no picture")
    paths[2].unlink()
    target = tmp_path / "sheet.png"
    assert contact_sheet.write(target, paths, tile=8) == 7
    assert contact_sheet.write(target, paths, tile=8, most=3) == 3  # the first, fifth and last
    assert cv2.imread(str(target))[4::8, 4::8, 0].tolist() == [[60, 140], [220, 24]]
    assert contact_sheet.write(tmp_path / "none.png", paths[1:3]) == 0
    assert not (tmp_path / "none.png").exists()


def test_contact_sheet_mistakes():
    with pytest.raises(InputError, match=r"tiles: expected at least one .* received none"):
        contact_sheet.draw([])
    with pytest.raises(InputError, match="labels: expected 1, received 2"):
        contact_sheet.draw([films.scene(1)], ["a", "b"])
