r"""Measure the speed of this project's engines, of ONNX Runtime and of PyTorch.

  python tools/benchmark.py --sizes=256,512 --batches=1 --json=speed.json
  python tools/benchmark.py --suite=training,data,smoothing,startup
  python tools/benchmark.py --suite=extraction --video=film.mkv

Each contender runs in a separate process, and the calls alternate between them, so that other load
of the machine affects all equally: compare the ratios. In the inference suite all engines run the
same network; one whose output differs from Keras' is reported as wrong and not measured. ONNX
Runtime (with onnx) and PyTorch are included if they are installed.

The exit status is 1 if a contender failed or was wrong.
"""

import datetime
import tempfile
from pathlib import Path

from absl import flags

from animegan_tf import cli
from animegan_tf.errors import InputError

FLAGS = flags.FLAGS

flags.DEFINE_list(
    "suite",
    ["inference"],
    "Some of inference, training, data, smoothing, extraction, startup, cluster.",
)
flags.DEFINE_enum("arch", "v2", ["v2", "lite", "v1"], "The generator.")
flags.DEFINE_list(
    "sizes",
    ["256", "512", "1024", "1920x1080"],
    "inference: sides of squares, or WIDTHxHEIGHT. The last ones take minutes on a small machine.",
)
flags.DEFINE_list("batches", ["1", "4"], "inference: batch sizes.")
flags.DEFINE_list(
    "engines",
    None,
    "inference: some of keras, keras-eager, frozen, saved_model, litert, litert-fixed, "
    "onnxruntime, pytorch. Default: all.",
)
flags.DEFINE_list("train_sizes", ["128", "256"], "training, data: sides of the square images.")
flags.DEFINE_list("train_batches", ["2", "4"], "training, data: batch sizes.")
flags.DEFINE_string(
    "features",
    "random",
    "training, data: VGG19 weights as in training; random ones take the same time.",
)
flags.DEFINE_string("video", None, "extraction: a video.")
flags.DEFINE_float("video_seconds", 20.0, "extraction: seconds of the video to use.")
flags.DEFINE_integer("repeats", 5, "Timed calls of each contender, after an untimed one.")
flags.DEFINE_integer("threads", None, "Threads of each engine. Default: one per core.")
flags.DEFINE_string("json", None, "Write all numbers, including each sample, to this new file.")
flags.DEFINE_bool("overwrite", False, "Replace the file of --json if it exists.")
flags.DEFINE_string(
    "markdown", None, "Write the tables to this new file, or to docs/performance.md."
)


def _settings():
    from benchmarks import suites

    values = {
        "suite": tuple(FLAGS.suite),
        "arch": FLAGS.arch,
        "sizes": suites.parse_sizes(FLAGS.sizes),
        "features": FLAGS.features,
        "video": FLAGS.video,
        "video_seconds": FLAGS.video_seconds,
        "repeats": FLAGS.repeats,
    }
    for name in ("batches", "train_sizes", "train_batches"):
        values[name] = _integers(name)
    if FLAGS.engines is not None:
        values["engines"] = tuple(FLAGS.engines)
    if FLAGS.threads is not None:
        values["threads"] = FLAGS.threads
    return suites.Settings(**values)


def _integers(name):
    try:
        return tuple(int(text) for text in FLAGS[name].value)
    except ValueError as error:
        raise InputError(
            f"{name}: expected whole numbers, received {','.join(FLAGS[name].value)}"
        ) from error


def _check_outputs():
    from benchmarks import report

    if FLAGS.json and Path(FLAGS.json).exists() and not FLAGS.overwrite:
        raise InputError(f"json: {FLAGS.json} exists; --overwrite replaces it")
    if FLAGS.markdown:
        report.check_markdown(FLAGS.markdown)


def _show_plan(settings, cases, header):
    print(header, flush=True)
    for case in cases:
        absent = [name for name, task in case.tasks.items() if task.missing()]
        there = ", ".join(name for name in case.tasks if name not in absent)
        missing = f" (not installed: {', '.join(absent)})" if absent else ""
        print(f"{case.suite}: {case.label}: {there}{missing}")
    print(f"{settings.repeats} calls each, {settings.threads} threads\n", flush=True)


def _measure(settings, cases, header):
    """Run the cases and show and write their tables: [(case, rows)]."""
    from benchmarks import contest, report
    from tqdm import tqdm

    results = []
    calls = sum(len(case.tasks) * (settings.repeats + 1) for case in cases)
    with tqdm(total=calls, unit="call", disable=None) as bar:
        for number, case in enumerate(cases, 1):

            def progress(text, label=f"{case.label}: "):
                bar.set_description_str(label + text)
                bar.update()

            rows = contest.run_case(case, settings.repeats, progress)
            results.append((case, rows))
            bar.n = sum(len(done.tasks) * (settings.repeats + 1) for done in cases[:number])
            with bar.external_write_mode():
                print(report.table(case, rows) + "\n", flush=True)
            _write(report, header, settings, results)
    return results


def _write(report, header, settings, results):
    # After each case, so that its numbers are kept if the rest is interrupted.
    content = report.contents(*header, settings, results, _now())
    if FLAGS.json:
        report.write_json(FLAGS.json, content)
    if FLAGS.markdown:
        report.write_markdown(FLAGS.markdown, report.markdown(content, results))


def _now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def main(argv):
    """Measure with the parsed flags; the exit status is 1 if a contender failed or was wrong."""
    cli.refuse_arguments(argv)
    from benchmarks import machine, report, suites

    settings = _settings()
    _check_outputs()
    header = machine.describe(), machine.versions()
    with tempfile.TemporaryDirectory() as folder:
        cases = suites.cases(settings, folder)
        lines = f"{report.machine_line(header[0])}\n{report.versions_line(header[1])}\n"
        _show_plan(settings, cases, lines)
        if suites.needs_files(settings):
            print("converting the network for the engines\n", flush=True)
            suites.prepare(settings, folder)
        results = _measure(settings, cases, header)
    bad = [row for _, rows in results for row in rows if row.status in ("failed", "wrong")]
    return 1 if bad else 0


if __name__ == "__main__":
    cli.run(main, __name__, __doc__)
