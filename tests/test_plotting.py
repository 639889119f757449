"""Charts: where things are drawn, and what is made of a run's lines."""

import json

import numpy as np
import pytest

from animegan_tf import plotting
from animegan_tf.errors import InputError
from animegan_tf.evaluation import curves

# Of the one panel of a chart: where its plot begins, and the plot's size.
TOP, LEFT, HEIGHT, WIDTH = 62 + 28, 62, 200, 500 - 62 - 12
BLUE, ORANGE = (28, 98, 180), (200, 90, 40)


def plot_of(curve, **options):
    chart = plotting.draw("title", "", [plotting.Panel("t", "c", (curve,), **options)])
    return chart[TOP : TOP + HEIGHT, LEFT : LEFT + WIDTH]


def rows_of(column, color):
    return np.flatnonzero((column == color).all(-1))


def test_values_are_drawn_at_their_height():
    # From 0, as they span more than 60% of the top, to 10 and a margin of 6%.
    plot = plot_of(plotting.Curve(np.array([0, 1]), np.array([0, 10])), references=((5, ""),))
    (at,) = rows_of(plot[:, WIDTH // 4], ORANGE)
    assert at == round(199 * (1 - 5 / 10.6))
    middle = rows_of(plot[:, WIDTH // 2], BLUE)
    assert abs(middle.mean() - 199 * (1 - 5 / 10.6)) < 2


def test_values_far_above_zero_get_their_own_scale():
    plot = plot_of(plotting.Curve(np.array([0, 1]), np.array([100, 110])), references=((105, ""),))
    (at,) = rows_of(plot[:, WIDTH // 4], ORANGE)
    assert at == round(199 * (1 - 5.6 / 11.2))


def test_values_over_decades_get_a_log_scale():
    x = np.arange(300)
    y = 10 ** (x / 100)
    middle = rows_of(plot_of(plotting.Curve(x, y, y))[:, WIDTH // 2], BLUE)
    assert abs(middle.mean() - 100) < 8
    forced = rows_of(plot_of(plotting.Curve(x, y, y), log=False)[:, WIDTH // 2], BLUE)
    assert forced.mean() > 180
    with_zero = rows_of(plot_of(plotting.Curve(x, y - 1, y - 1))[:, WIDTH // 2], BLUE)
    assert with_zero.mean() > 180


def test_a_steep_beginning_does_not_flatten_the_rest():
    y = np.full(100, 5.0)
    y[:3], y[3:] = 1000, 5 + np.arange(97) % 2
    plot = plot_of(plotting.Curve(np.arange(100), y, y))
    drawn = rows_of(plot[:, WIDTH // 2], BLUE)
    assert 20 < drawn.mean() < 180


def test_rounding_is_not_drawn_as_change():
    y = np.full(50, 2e-5) + np.arange(50) % 2 * 1e-19
    drawn = rows_of(plot_of(plotting.Curve(np.arange(50), y, y))[:, WIDTH // 2], BLUE)
    assert abs(drawn.mean() - 99.5) < 2


@pytest.mark.parametrize("value", [0.0, -3.0, 7.0, 1e-9])
def test_one_value_is_drawn_in_the_middle(value):
    plot = plot_of(plotting.Curve(np.array([4]), np.array([value])))
    drawn = rows_of(plot[:, WIDTH // 2], BLUE)
    assert abs(drawn.mean() - 99.5) < 2


def test_curves_of_several_names_have_several_colours():
    x = np.arange(2)
    panel = plotting.Panel(
        "t", "c", tuple(plotting.Curve(x, x * 0 + y, x * 0 + y, f"{y}") for y in (1.0, 2.0, 1.5))
    )
    chart = plotting.draw("", "", [panel])
    column = chart[TOP : TOP + HEIGHT, LEFT + WIDTH // 2]
    first, second = (rows_of(column, color).mean() for color in plotting._COLORS[:2])
    assert first > 150 > 50 > second
    legend = chart[TOP - 28 : TOP].reshape(-1, 3)
    for color in plotting._COLORS[:3]:
        assert (np.abs(legend.astype(int) - color).max(-1) < 40).any()


def test_bands_are_told_apart():
    curve = plotting.Curve(np.array([0, 100]), np.array([1, 2]))
    plot = plot_of(curve, bands=((0, 50, "first"), (50, 100, "second")))
    empty = plot[150, :]
    assert tuple(empty[WIDTH // 4 * 3]) != tuple(empty[10])
    assert tuple(empty[10]) == plotting.WHITE


def test_captions_are_wrapped_within_the_panel():
    text = "words of several lengths that do not fit into a single line " * 3
    lines = plotting.wrap(text, 200, 0.4)
    assert " ".join(lines) == " ".join(text.split())
    assert max(plotting.text_width(line, 0.4) for line in lines) <= 200
    assert len(lines) > 3


def test_panels_stand_in_rows_of_three():
    panel = plotting.Panel("t", "c", (plotting.Curve(np.array([0, 1]), np.array([0, 1])),))
    shapes = [plotting.draw("t", "s", [panel] * count).shape for count in (1, 2, 3, 4)]
    assert [shape[1] for shape in shapes] == [500, 1000, 1500, 1500]
    assert shapes[0][0] == shapes[2][0] < shapes[3][0]
    with pytest.raises(InputError, match="panels: expected at least one, received none"):
        plotting.draw("t", "s", [])


# --- runs ----------------------------------------------------------------------------------------


def line(step, phase="initialize", **values):
    return {"step": step, "epoch": 1 + step // 10, "phase": phase, **values}


def write(path, lines, end=""):
    path.write_text("".join(json.dumps(one) + "\n" for one in lines) + end)
    return path


def test_a_line_cut_short_is_left_out(tmp_path):
    lines = [line(1, init=3.0), line(2, init=2.0)]
    write(tmp_path / "scalars.jsonl", lines, '{"step": 3, "init"')
    assert curves.read_scalars(tmp_path) == (lines, 1)
    assert curves.read_scalars(tmp_path / "scalars.jsonl") == (lines, 1)


def test_of_a_step_done_twice_the_later_line_counts(tmp_path):
    lines = [line(1, init=3.0), line(3, init=1.0), line(2, init=5.0), line(3, init=2.0)]
    write(tmp_path / "scalars.jsonl", lines)
    assert curves.read_scalars(tmp_path) == ([lines[0], lines[2], lines[3]], 0)


def test_missing_and_empty_runs_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"run: expected a run directory .*, found none in "):
        curves.read_scalars(tmp_path)
    with pytest.raises(InputError, match=r"run: expected .*, found nothing at .*gone"):
        curves.read_scalars(tmp_path / "gone")
    (tmp_path / "scalars.jsonl").write_text("[1]\n\n{}\n")
    with pytest.raises(InputError, match=r"run: expected lines with a step in .*, found none"):
        curves.read_scalars(tmp_path)


def test_terms_are_the_finite_numbers():
    lines = [line(1, norm=1, init=2.0, note="text", ok=True), line(2, d=float("nan"), content=1)]
    assert curves.terms(lines) == ["norm", "init", "content"]


def test_smoothing():
    # Symmetric at the beginning, of as many as there are at the end.
    values = [9, 0, 3, 6, 0, 3]
    assert curves.smooth(values, 3).tolist() == [9, 4, 3, 3, 3, 1.5]
    assert curves.smooth(values, 1).tolist() == values
    assert curves.smooth(values, 100)[0] == 9


def test_phases():
    steps = [line(1), line(2), line(3, "adversarial"), line(5, "adversarial")]
    assert curves.phases(steps) == [(1, 2, "initialize"), (3, 5, "adversarial")]


@pytest.mark.parametrize("phase", ["initialize", "adversarial", "another"])
def test_a_run_of_one_phase_is_drawn(phase):
    lines = [line(step, phase, content=step % 3, d=1.0 / step) for step in range(1, 40)]
    assert curves.draw_run(lines, "run").shape[1] == 2 * plotting.PANEL_WIDTH


def test_each_term_gets_a_panel_over_the_steps_that_have_it():
    first = [line(step, init=10.0, content=4.0) for step in range(1, 51)]
    second = [line(step, "adversarial", content=2.0) for step in range(51, 101)]
    for one in second[::2]:
        one["d"] = 1.0  # with --training_rate=2 every other step has it
    second[7]["content"] = float("nan")
    chart = curves.draw_run(first + second, "run")
    plots = [chart[TOP : TOP + HEIGHT, LEFT + 500 * index :][:, :WIDTH] for index in range(3)]
    means = []
    for plot in plots:  # left and right quarter of init, content, d
        columns = plot[:, WIDTH // 4], plot[:, WIDTH // 4 * 3]
        means.append([rows_of(column, BLUE).mean() for column in columns])
    middle = 17 + 182 / 2  # below the names of the phases
    assert means[0] == pytest.approx([middle, middle], abs=1.5)
    assert means[1][0] < 30 < 170 < means[1][1]
    assert means[2] == pytest.approx([middle, middle], abs=1.5)


def test_known_terms_come_first_and_what_belongs_together_shares_a_panel(monkeypatch):
    drawn = []

    def draw(title, subtitle, panels):
        assert title == "run"
        assert subtitle.startswith("up to step 2, epoch 1, adversarial phase.")
        drawn.extend(panels)

    monkeypatch.setattr(plotting, "draw", draw)
    values = {"odd": 1, "d_gray": 0.1, "d": 5.0, "d_real": 0.9, "content": 2.0}
    curves.draw_run([line(step, "adversarial", **values) for step in (1, 2)], "run")
    assert [panel.title for panel in drawn] == ["content", "d", "d output", "odd"]
    shared = {curve.name: curve.y.tolist() for curve in drawn[2].curves}
    assert shared == {"real": [0.9, 0.9], "gray": [0.1, 0.1]}
    assert drawn[3].caption == "Recorded by the run; no description available."


def test_every_known_term_has_a_caption_that_fits():
    for name, caption in curves.CAPTIONS.items():
        assert len(plotting.wrap(caption, plotting.PANEL_WIDTH - 74, 0.4)) <= 4, name
    assert "normal" in curves.CAPTIONS["content"]
