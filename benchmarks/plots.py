"""Pictures of what was measured."""

from pathlib import Path

COLOURS = {"engine": "#0072b2", "bare": "#999999", "server": "#d55e00"}
MARKS = {"engine": "o", "bare": "s", "server": "^"}
NAMES = {"engine": "coat", "bare": "bare loop", "server": "llama-server"}


def draw_rates(rates: dict[str, dict[str, dict[int, float]]], file: Path) -> None:
    """Tokens a second against lanes, a panel a model, a line a decoder; written to `file`."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * len(rates), 3.2), layout="constrained")
    FigureCanvasSVG(figure)
    for panel, (model, lines) in zip(figure.subplots(1, len(rates), squeeze=False)[0], rates.items(), strict=True):
        for who, line in lines.items():
            lanes = sorted(line, key=int)
            values = [line[each] for each in lanes]
            panel.plot(list(map(int, lanes)), values, color=COLOURS[who], marker=MARKS[who], label=NAMES[who])
        panel.set(title=model, xlabel="lanes", ylabel="tokens a second", xscale="log", ylim=(0, None))
        panel.set_xticks(list(map(int, lanes)), list(map(str, lanes)))
        panel.minorticks_off()
        panel.grid(alpha=0.3)
        panel.legend(frameon=False)
    figure.savefig(file, metadata={"Date": None})
