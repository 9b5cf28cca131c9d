"""One contestant's slices as a row of the result."""

from collections.abc import Sequence

from bench.report.result import CompareRow
from bench.slices import Contest, Slice, median_cpu_us, median_rate, ratios

NOT_INSTALLED = "not installed"


def make_row(  # what a row says, and of whom
    path: str,
    name: str,
    version: str | None,
    contest: Contest,
    ours: Sequence[Slice],
    aim: float | None = None,
    absent: str = NOT_INSTALLED,
) -> CompareRow:
    """``version``: None = it is not there, and ``absent`` says how; ``ours``: what it is held against, may be empty."""
    slices = contest.slices.get(name)
    if version is None or slices is None:
        why = contest.failures.get(name, absent)
        return CompareRow(path=path, peer=name, version=version, note=why, aim=aim)
    ratio, low, high = ratios(ours, slices) if ours else (None, None, None)
    return CompareRow(
        path=path,
        peer=name,
        version=version,
        slices=len(slices),
        median_cpu_us=round(median_cpu_us(slices), 3),
        answers_per_s=round(median_rate(slices)),
        ratio=_rounded(ratio),
        ratio_low=_rounded(low),
        ratio_high=_rounded(high),
        client_share=round(max(one.client_share for one in slices), 2),
        client_limited=sum(one.is_client_limited for one in slices) * 2 > len(slices),
        aim=aim,
        note=_losses(slices),
    )


def _rounded(ratio: float | None) -> float | None:
    return None if ratio is None else round(ratio, 3)


def _losses(slices: Sequence[Slice]) -> str:
    lost, wrong = sum(one.lost for one in slices), sum(one.wrong for one in slices)
    said = [f"{count:,} {what}" for count, what in ((lost, "lost"), (wrong, "wrong")) if count]
    return ", ".join(said)
