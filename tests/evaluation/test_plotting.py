"""Charts: where things are drawn, and what is made of a run's lines."""

import importlib.util
import json

import numpy as np
import pytest

from animegan_tf.errors import InputError
from animegan_tf.evaluation import curves, plotting


def axes_of(y):
    """The axes of the chart of a run with these values of one term."""
    lines = [line(step, init=value) for step, value in enumerate(y, 1)]
    (axes,) = curves.figure(lines, "run").axes
    return axes


def test_values_over_decades_get_a_log_scale():
    y = 10 ** (np.arange(300) / 100)
    assert axes_of(y).get_yscale() == "log"
    assert axes_of(y - 1).get_yscale() == "linear"
    axes = plotting.figure("t", "s", {"a": "b"}).axes[0]
    axes.plot(y)
    plotting.fit(axes, y, log=False)
    assert axes.get_yscale() == "linear"


def test_the_y_axis_shows_the_values_with_a_margin():
    axes = plotting.figure("t", "s", {"a": "b"}).axes[0]
    axes.plot([0, 1], [-50, 50])
    plotting.fit(axes, [0, 10, 5])
    assert axes.get_ylim() == pytest.approx((-0.6, 10.6))


def test_a_steep_beginning_does_not_flatten_the_rest():
    y = np.full(100, 5.0)
    y[:3], y[3:] = 1000, 5 + np.arange(97) % 2
    bottom, top = axes_of(y).get_ylim()
    assert 4 < bottom < 5 < 6 < top < 7


@pytest.mark.parametrize("value", [0.0, -3.0, 7.0, 1e-9, 2e-5])
def test_one_value_is_drawn_in_the_middle(value):
    for y in ([value], [value, value * (1 + 1e-12)]):
        bottom, top = axes_of(y).get_ylim()
        assert (bottom + top) / 2 == pytest.approx(value, rel=1e-9)
        assert bottom < value < top


def test_terms_of_one_chart_have_several_colours():
    lines = [line(1, d_real=1.0), line(2, d_real=1.0)]
    lines += [line(step, "adversarial", d_real=1.0, d_gray=2.0) for step in (3, 4)]
    (axes,) = curves.figure(lines, "run").axes
    assert [drawn.get_color() for drawn in axes.lines[1::2]] == ["C0", "C0", "C1"]
    assert [text.get_text() for text in axes.get_legend().texts] == ["real", "gray"]


def test_phases_are_named_where_there_is_room():
    names = ["initialize"] * 50 + ["discriminate"] * 40 + ["adversarial"] * 10
    lines = [line(step, phase, init=1.0) for step, phase in enumerate(names, 1)]
    (axes,) = curves.figure(lines, "run").axes
    shown = [text.get_text().strip() for text in axes.texts]
    assert shown == ["initialisation", "discriminator only"]
    assert len({patch.get_facecolor() for patch in axes.patches}) == 2


def test_charts_stand_in_rows_of_three():
    sheets = [
        plotting.figure("t", "s", {str(number): "of $5 or $6" for number in range(count)})
        for count in (1, 2, 3, 4)
    ]
    shapes = [plotting.pixels(sheet).shape for sheet in sheets]
    assert [shape[1:] for shape in shapes] == [(500, 3), (1000, 3), (1500, 3), (1500, 3)]
    assert shapes[0][0] == shapes[2][0] < shapes[3][0]
    with pytest.raises(InputError, match="panels: expected at least one, received none"):
        plotting.figure("t", "s", {})


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


def charts(lines):
    """{title: [y of each phase and term]} of the chart of a run."""
    return {
        axes.get_title(loc="left"): [drawn.get_ydata() for drawn in axes.lines[::2]]
        for axes in curves.figure(lines, "run").axes
    }


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
    drawn = charts(first + second)
    values = {title: [set(y) for y in terms] for title, terms in drawn.items()}
    assert values == {"init": [{10.0}], "content": [{4.0}, {2.0}], "d": [{1.0}]}
    assert [len(terms[-1]) for terms in drawn.values()] == [50, 49, 25]


def test_known_terms_come_first_and_what_belongs_together_shares_a_panel():
    values = {"odd": 1, "d_gray": 0.1, "d": 5.0, "d_real": 0.9, "content": 2.0}
    lines = [line(step, "adversarial", **values) for step in (1, 2)]
    drawn = charts(lines)
    assert list(drawn) == ["content", "d", "d output", "odd"]
    assert [list(y) for y in drawn["d output"]] == [[0.9, 0.9], [0.1, 0.1]]
    sheet = curves.figure(lines, "run")
    assert sheet.get_suptitle().startswith("run\nup to step 2, epoch 1, adversarial phase.")
    caption = sheet.axes[3].get_xlabel()
    assert caption == "Recorded by the run; no description available."


def test_every_known_term_has_a_caption_that_fits():
    figure = plotting.figure("t", "s", curves.CAPTIONS)
    figure.canvas.draw()
    for axes in figure.axes:
        place, plot = axes.xaxis.label.get_window_extent(), axes.get_window_extent()
        assert place.height < 70, axes.get_title(loc="left")
        assert place.x1 - plot.x0 < plotting.PANEL_WIDTH - 50, axes.get_title(loc="left")
        assert plot.height > 150
    assert "normal" in curves.CAPTIONS["content"]
