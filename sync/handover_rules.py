"""What marketing and sales agreed on, made from the section ``[handover]`` of the config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from mapping.qualification.handover import Terms
from mapping.qualification.handover_flags import Suspicions
from mapping.qualification.workclock import Clocks, Spans, WorkClock
from sync.calendars import clock_of
from sync.handover_draws import Exploring
from sync.section import words_in
from sync.sections_handover import WEEKDAYS, HandoverSettings, day_of, days_of, seconds_of, spans_of


@dataclass(frozen=True)
class Agreement:
    """What marketing and sales agreed on: the terms, everybody's clock, and what is suspicious.

    ``loss_reason``: the field of Salesforce's Opportunity that says why one was lost; empty: none is read.
    ``exploring``: whom chance hands over.
    """

    clocks: Clocks
    terms: Terms = field(default_factory=Terms)
    suspicions: Suspicions = field(default_factory=Suspicions)
    loss_reason: str = ""
    exploring: Exploring = field(default_factory=Exploring)


def agreement_of(settings: HandoverSettings) -> Agreement:
    """The section ``[handover]``, ready to be asked. Holidays are looked up when a year is first met."""
    hours = {WEEKDAYS.index(day): spans_of(text) for day, text in settings.hours.items()}
    closed, special = days_of(settings.closed), _special(settings.special)

    def clock(hours: Mapping[int, Spans], zone: str, region: str) -> WorkClock:
        return clock_of(hours, zone, region or None, closed, special)

    owners = {}
    for owner, place in settings.owners.items():
        theirs = place.get("hours")
        owners[owner.lower()] = clock(
            hours if theirs is None else dict.fromkeys(hours, spans_of(theirs)),
            place.get("time_zone", settings.time_zone),
            place.get("region", settings.region),
        )
    return Agreement(
        Clocks(clock(hours, settings.time_zone, settings.region), owners),
        _terms(settings),
        Suspicions(
            too_early_days=settings.too_early_days,
            engagement_at_least=settings.too_early_engagement,
            not_ready=tuple(words_in(settings.not_ready)),
            too_late_days=settings.too_late_days,
            quiet_days=settings.quiet_days,
            competitor=tuple(words_in(settings.competitor)),
        ),
        settings.loss_reason,
        Exploring(settings.explore_share / 100, settings.explore_seed, settings.explore_per_week),
    )


def _terms(settings: HandoverSettings) -> Terms:
    return Terms(
        respond_within=seconds_of(settings.respond_within),
        sooner={name: seconds_of(text) for name, text in settings.respond_within_when.items()},
        escalate_before=seconds_of(settings.escalate_before),
        when_overdue=settings.when_overdue,
        reassign_at_most=settings.reassign_at_most,
        rest_days=settings.rest_days,
    )


def _special(declared: Mapping[str, str]) -> dict[date | tuple[int, int], Spans]:
    return {day_of(day): spans_of(text) for day, text in declared.items()}
