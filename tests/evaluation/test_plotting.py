"""Charts: where things are drawn, and what is made of a run's lines."""

import importlib.util
import json

import numpy as np
import pytest

from animegan_tf import plotting
from animegan_tf.errors import InputError
from animegan_tf.evaluation import curves


def axes_of(*curves, **options):
    """The axes of a chart of one panel."""
    panel = plotting.Panel("t", "c", curves, **options)
    (axes,) = plotting.figure("title", "", [panel]).axes
    return axes


def curve(x, y, smooth=True, name=""):
    x, y = np.asarray(x, float), np.asarray(y, float)
    return plotting.Curve(x, y, y if smooth else None, name)


def test_the_y_axis_shows_all_values_and_references_with_a_margin():
    axes = axes_of(curve([0, 1], [0, 10], smooth=False), references=((5, "five"),))
    assert axes.get_ylim() == pytest.approx((-0.6, 10.6))
    values = [line.get_ydata() for line in axes.lines]
    assert [list(one) for one in values] == [[0, 10], [5, 5]]
    assert [text.get_text() for text in axes.texts] == ["five"]
    axes = axes_of(curve([0, 1], [100, 110]), references=((105, ""),))
    assert axes.get_ylim() == pytest.approx((99.4, 110.6))


def test_values_over_decades_get_a_log_scale():
    x = np.arange(300)
    y = 10 ** (x / 100)
    assert axes_of(curve(x, y)).get_yscale() == "log"
    assert axes_of(curve(x, y), log=False).get_yscale() == "linear"
    assert axes_of(curve(x, y - 1)).get_yscale() == "linear"


def test_a_steep_beginning_does_not_flatten_the_rest():
    y = np.full(100, 5.0)
    y[:3], y[3:] = 1000, 5 + np.arange(97) % 2
    bottom, top = axes_of(curve(range(100), y)).get_ylim()
    assert 4 < bottom < 5 < 6 < top < 7


@pytest.mark.parametrize("value", [0.0, -3.0, 7.0, 1e-9, 2e-5])
def test_one_value_is_drawn_in_the_middle(value):
    for one in (curve([4], [value], smooth=False), curve([4, 5], [value, value * (1 + 1e-12)])):
        bottom, top = axes_of(one).get_ylim()
        assert (bottom + top) / 2 == pytest.approx(value, rel=1e-9)
        assert bottom < value < top


def test_curves_of_several_names_have_several_colours():
    curves = [curve([0, 1], [level, level], name=str(level)) for level in (1.0, 2.0, 1.5, 1.0)]
    axes = axes_of(*curves)
    assert [line.get_color() for line in axes.lines[1::2]] == ["C0", "C1", "C2", "C0"]
    assert [text.get_text() for text in axes.get_legend().texts] == ["1.0", "2.0", "1.5"]


def test_stretches_are_named_where_there_is_room():
    bands = ((0, 50, "first"), (50, 90, "second"), (90, 100, "third"))
    axes = axes_of(curve([0, 100], [1, 2]), bands=bands)
    assert [text.get_text().strip() for text in axes.texts] == ["first", "second"]
    assert len({patch.get_facecolor() for patch in axes.patches}) == 2


def test_panels_stand_in_rows_of_three():
    panel = plotting.Panel("t", "of $5 or $6", (curve([0, 1], [0, 1]),))
    shapes = [plotting.draw("t", "s", [panel] * count).shape for count in (1, 2, 3, 4)]
    assert [shape[1:] for shape in shapes] == [(500, 3), (1000, 3), (1500, 3), (1500, 3)]
    assert shapes[0][0] == shapes[2][0] < shapes[3][0]
    assert len(plotting.figure("t", "s", [panel] * 4).axes) == 4
    with pytest.raises(InputError, match="panels: expected at least one, received none"):
        plotting.draw("t", "s", [])


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"plots: expected matplotlib \(pip install 'anime"):
        curves.draw_run([line(1, init=1.0)], "run")


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


def drawn_panels(monkeypatch, lines, subtitle=""):
    """The panels of `draw_run`; `subtitle` is how the text above them begins."""
    drawn = []

    def draw(title, text, panels):
        assert title == "run"
        assert text.startswith(subtitle)
        drawn.extend(panels)

    monkeypatch.setattr(plotting, "draw", draw)
    curves.draw_run(lines, "run")
    return drawn


@pytest.mark.parametrize("phase", ["initialize", "adversarial", "another"])
def test_a_run_of_one_phase_is_drawn(phase):
    lines = [line(step, phase, content=step % 3, d=1.0 / step) for step in range(1, 40)]
    assert curves.draw_run(lines, "run").shape[1] == 2 * plotting.PANEL_WIDTH


def test_each_term_gets_a_panel_over_the_steps_that_have_it(monkeypatch):
    first = [line(step, init=10.0, content=4.0) for step in range(1, 51)]
    second = [line(step, "adversarial", content=2.0) for step in range(51, 101)]
    for one in second[::2]:
        one["d"] = 1.0  # with --training_rate=2 every other step has it
    second[7]["content"] = float("nan")
    drawn = drawn_panels(monkeypatch, first + second)
    values = {panel.title: [set(one.y) for one in panel.curves] for panel in drawn}
    assert values == {"init": [{10.0}], "content": [{4.0}, {2.0}], "d": [{1.0}]}
    assert [len(panel.curves[-1].x) for panel in drawn] == [50, 49, 25]


def test_known_terms_come_first_and_what_belongs_together_shares_a_panel(monkeypatch):
    values = {"odd": 1, "d_gray": 0.1, "d": 5.0, "d_real": 0.9, "content": 2.0}
    drawn = drawn_panels(
        monkeypatch,
        [line(step, "adversarial", **values) for step in (1, 2)],
        "up to step 2, epoch 1, adversarial phase.",
    )
    assert [panel.title for panel in drawn] == ["content", "d", "d output", "odd"]
    shared = {curve.name: curve.y.tolist() for curve in drawn[2].curves}
    assert shared == {"real": [0.9, 0.9], "gray": [0.1, 0.1]}
    assert drawn[3].caption == "Recorded by the run; no description available."


def test_every_known_term_has_a_caption_that_fits():
    panels = [
        plotting.Panel(name, caption, (curve([0, 1], [1, 2]),))
        for name, caption in curves.CAPTIONS.items()
    ]
    figure = plotting.figure("t", "s", panels)
    figure.canvas.draw()
    for axes in figure.axes:
        place, plot = axes.xaxis.label.get_window_extent(), axes.get_window_extent()
        assert place.height < 70, axes.get_title(loc="left")
        assert place.x1 - plot.x0 < plotting.PANEL_WIDTH - 50, axes.get_title(loc="left")
        assert plot.height > 150
    assert "normal" in curves.CAPTIONS["content"]
