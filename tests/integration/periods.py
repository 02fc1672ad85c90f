"""Periods as the contract words them: 2023, 2023H1, 2023Q2, 2023-06, 2023-06-18.

Written for the model, with the calendar of Python's datetime; it shares no idea with the programs' own
arithmetic of periods.
"""

import datetime
import functools
import re

FREQUENCIES = ("year", "half", "quarter", "month", "day")  # from coarse to fine
MONTHS = {"year": 12, "half": 6, "quarter": 3, "month": 1}
FORMS = {
    "year": r"(\d{4})",
    "half": r"(\d{4})H([12])",
    "quarter": r"(\d{4})Q([1-4])",
    "month": r"(\d{4})-(\d{2})",
    "day": r"(\d{4})-(\d{2})-(\d{2})",
}
ONE_DAY = datetime.timedelta(days=1)


@functools.lru_cache(maxsize=None)
def frequency_of(period):
    for frequency, form in FORMS.items():
        if re.fullmatch(form, period):
            return frequency
    raise ValueError(f"no period: {period}")


@functools.lru_cache(maxsize=None)
def first_day(period):
    frequency = frequency_of(period)
    parts = [int(n) for n in re.fullmatch(FORMS[frequency], period).groups()]
    if frequency == "day":
        return datetime.date(*parts)
    number = parts[1] if len(parts) > 1 else 1
    return datetime.date(parts[0], (number - 1) * MONTHS[frequency] + 1, 1)


@functools.lru_cache(maxsize=None)
def last_day(period):
    """The last day that still belongs to the period."""
    frequency = frequency_of(period)
    first = first_day(period)
    if frequency == "day":
        return first
    months = first.year * 12 + first.month - 1 + MONTHS[frequency]
    return datetime.date(months // 12, months % 12 + 1, 1) - ONE_DAY


@functools.lru_cache(maxsize=None)
def of_day(frequency, day):
    """The period of that frequency in which the day lies; the day as a date or as text."""
    if isinstance(day, str):
        day = datetime.date.fromisoformat(day)
    if frequency == "day":
        return day.isoformat()
    if frequency == "month":
        return f"{day.year:04}-{day.month:02}"
    number = (day.month - 1) // MONTHS[frequency] + 1
    letter = {"year": "", "half": f"H{number}", "quarter": f"Q{number}"}[frequency]
    return f"{day.year:04}{letter}"


def is_finer(frequency, other):
    return FREQUENCIES.index(frequency) > FREQUENCIES.index(other)


@functools.lru_cache(maxsize=None)
def inside(span, frequency):
    """The periods of that frequency that make up the span, in order; None when the span is finer."""
    if is_finer(frequency_of(span), frequency):
        return None
    found, day, end = [], first_day(span), last_day(span)
    while day <= end:
        period = of_day(frequency, day)
        found.append(period)
        day = last_day(period) + ONE_DAY
    return tuple(found)
