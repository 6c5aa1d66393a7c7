"""Write the demo down. Safe to repeat: what exists stays as people left it, but everybody moves to where it is day."""

import json
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from django.db import transaction

from apps.accounts.models import Role, User
from apps.calls.adapters import has_credentials
from apps.calls.models import Carrier, Disposition, Number, Price, Provider, Route, VirtualAgent
from apps.calls.models.cost import Part, Unit
from apps.calls.states import Outcome
from apps.campaigns import services
from apps.campaigns.models import Campaign, RetryRule
from apps.campaigns.states import CampaignState
from apps.cockpit.demo import names, texts
from apps.contacts.models import Channel, Consent, Contact, ContactList, DncEntry, ZoneSource

PEOPLE = {
    "admin": ("Adele", "Admin", "en"),
    "alice": ("Alice", "North", "en"),
    "bob": ("Bob", "North", "en"),
}
# Area codes whose 555-01xx numbers are set aside for fiction. A round of the demo has its own numbers, since those who
# ask not to be called again are not called again in the next one either.
AREA_CODES = (
    *("206", "212", "213", "214", "215", "216", "303", "312", "313", "314", "315", "316", "317", "402", "404"),
    *("405", "410", "412", "414", "415", "419", "501", "502", "503", "504", "505", "507", "509", "512", "513"),
    *("515", "518", "602", "603", "605", "608", "612", "614", "615", "617", "619", "701", "702", "703", "704"),
)
# Of both carriers, so that the campaign can go on with one of them when the other does not answer.
OUR_NUMBERS = (
    ("+12025550190", "Washington", Carrier.TWILIO),
    ("+13035550191", "Denver", Carrier.TWILIO),
    ("+15035550192", "Portland", Carrier.TWILIO),
    ("+12025550193", "Washington, Telnyx", Carrier.TELNYX),
)
# Somewhere among these it is the middle of the day at any hour.
ZONES = (
    *("America/New_York", "America/Denver", "America/Los_Angeles", "America/Anchorage", "Pacific/Honolulu"),
    *(
        "Pacific/Auckland",
        "Australia/Sydney",
        "Asia/Tokyo",
        "Asia/Shanghai",
        "Asia/Bangkok",
        "Asia/Dhaka",
        "Asia/Karachi",
    ),
    *("Asia/Dubai", "Europe/Istanbul", "Europe/Prague", "Europe/Madrid", "Europe/London", "Atlantic/Azores"),
    *("America/Sao_Paulo", "America/Santiago"),
)
_MIDDLE_OF_DAY = (time(9, 30), time(17, 0))
_PER_LANGUAGE = 30
_LIST_NAME = "Demo list "
_CONSENT_GIVEN_BEFORE = timedelta(days=60)
# List prices of the services as examples, by model where a service has several; a manager keeps the table.
_PRICES = (
    ("twilio", "", Part.CARRIER, Unit.MINUTE, "0.018"),
    ("twilio", "", Part.MESSAGE, Unit.MESSAGE, "0.0083"),
    ("telnyx", "", Part.CARRIER, Unit.MINUTE, "0.0105"),  # with call control and the media stream
    ("telnyx", "", Part.MESSAGE, Unit.MESSAGE, "0.004"),
    ("openai", "", Part.AUDIO_IN, Unit.MILLION_TOKENS, "32"),
    ("openai", "", Part.AUDIO_OUT, Unit.MILLION_TOKENS, "64"),
    ("openai", "", Part.TEXT_IN, Unit.MILLION_TOKENS, "4"),
    ("openai", "", Part.TEXT_OUT, Unit.MILLION_TOKENS, "16"),
    ("openai", "", Part.CACHED_IN, Unit.MILLION_TOKENS, "0.4"),
    ("openai", "gpt-transcribe", Part.TRANSCRIPTION, Unit.MILLION_TOKENS, "6"),
    ("openai", "gpt-realtime-whisper", Part.TRANSCRIPTION, Unit.MINUTE, "0.006"),
    ("openai", "gpt-6-luna", Part.TEXT_IN, Unit.MILLION_TOKENS, "0.25"),
    ("openai", "gpt-6-luna", Part.TEXT_OUT, Unit.MILLION_TOKENS, "2"),
    ("openai", "gpt-6-luna", Part.CACHED_IN, Unit.MILLION_TOKENS, "0.025"),
    ("gemini", "", Part.AUDIO_IN, Unit.MILLION_TOKENS, "3"),
    ("gemini", "", Part.AUDIO_OUT, Unit.MILLION_TOKENS, "12"),
    ("gemini", "", Part.TEXT_IN, Unit.MILLION_TOKENS, "0.75"),
    ("gemini", "", Part.TEXT_OUT, Unit.MILLION_TOKENS, "4.5"),
    ("gemini", "", Part.CACHED_IN, Unit.MILLION_TOKENS, "0.075"),
    ("gemini", "", Part.SPEECH, Unit.MILLION_CHARACTERS, "12"),
    ("deepgram", "", Part.TRANSCRIPTION, Unit.MINUTE, "0.0092"),
    ("deepgram", "", Part.SPEECH, Unit.MILLION_CHARACTERS, "30"),
)


@dataclass(frozen=True, slots=True)
class Login:
    role: Role
    password: str


@dataclass(frozen=True, slots=True)
class Seeded:
    campaign: Campaign
    n_contacts: int


@transaction.atomic
def seed(*, logins: dict[str, Login], now: datetime) -> Seeded:
    """The demo's people, agent, and the latest round of its campaign; the next round if that one is completed."""
    _users(logins)
    _prices()
    _dispositions()
    agent = _agent()
    numbers = _numbers(agent)
    campaign = _latest_round()
    if campaign is None or campaign.state == CampaignState.COMPLETED:
        n_round = 1 if campaign is None else _round_of(campaign) + 1
        campaign = _campaign(n_round, agent, numbers, now)
    n_contacts = _live_where_it_is_day(campaign.contact_list, now)
    return Seeded(campaign, n_contacts)


def start(campaign: Campaign) -> None:
    """Start the round, or go on with one that was stopped or paused."""
    if campaign.state == CampaignState.PAUSED:
        services.resume(campaign_id=campaign.pk, by=None)
    else:
        services.start(campaign_id=campaign.pk, by=None)


def pause() -> bool:
    """Let a round that is under way dial nobody more; False if none is."""
    campaign = _latest_round()
    if campaign is None or campaign.state != CampaignState.RUNNING:
        return False
    services.pause(campaign_id=campaign.pk, by=None)
    return True


def read_logins(path: str) -> dict[str, Login]:
    """Who may log in to the demo, by user name, from a JSON file; nobody for an empty path.

    Raises OSError or ValueError if it cannot be read.
    """
    if not path:
        return {}
    logins = json.loads(Path(path).read_text(encoding="utf-8"))
    try:
        return {name: Login(role=Role(login["role"]), password=login["password"]) for name, login in logins.items()}
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f'{path}: expected {{"name": {{"role": …, "password": …}}}}') from error


def _users(logins: dict[str, Login]) -> None:
    for username, login in logins.items():
        first, last, language = PEOPLE.get(username, (username.capitalize(), "", "en"))
        user, is_new = User.objects.get_or_create(
            username=username,
            defaults={"role": login.role, "first_name": first, "last_name": last, "language": language},
        )
        if is_new or not user.check_password(login.password):
            user.set_password(login.password)
            user.role = login.role
            user.save()


def _prices() -> None:
    for service, model, part, unit, amount in _PRICES:
        Price.objects.get_or_create(
            service=service,
            model=model,
            part=part,
            valid_from=date(2026, 1, 1),
            defaults={"unit": unit, "amount": Decimal(amount)},
        )


def _dispositions() -> None:
    for position, meaning in enumerate(texts.MEANINGS, start=1):
        words = {f"name_{code}": text for code, text in meaning.name.items()}
        words |= {f"description_{code}": text for code, text in meaning.description.items()}
        Disposition.objects.get_or_create(
            code=meaning.code, defaults={**words, "is_success": meaning.is_success, "position": position}
        )


def _agent() -> VirtualAgent:
    words = {f"greeting_{code}": text for code, text in texts.GREETING.items()}
    words |= {f"instructions_{code}": text for code, text in texts.INSTRUCTIONS.items()}
    words |= {f"ai_disclosure_{code}": text for code, text in texts.DISCLOSURE.items()}
    words |= {f"voicemail_message_{code}": text for code, text in texts.VOICEMAIL.items()}
    agent, is_new = VirtualAgent.objects.get_or_create(
        name=texts.AGENT_NAME,
        defaults={
            **words,
            "speaks_as": texts.SPEAKS_AS,
            "company": texts.COMPANY,
            "review_llm": "openai:gpt-6-luna",
            "extracted_fields": texts.FIELDS,
            "qa_checklist": texts.CHECKLIST,
        },
    )
    if is_new:
        agent.fallbacks.create(position=1, provider=Provider.GEMINI)
        agent.fallbacks.create(
            position=2,
            provider=Provider.DEEPGRAM,
            llm="openai:gpt-6-luna",
            speech="gemini:gemini-3.8-flash-lite-tts",
        )
    return agent


def _numbers(agent: VirtualAgent) -> list[Number]:
    """The pool of the demo's campaign. All numbers of ours are answered by the demo's virtual agent, and those of
    carriers that are set up are dialled from, too.
    """
    answered = {"route": Route.VIRTUAL_AGENT, "virtual_agent": agent}
    ours = [
        Number.objects.get_or_create(e164=e164, defaults={"carrier": carrier, "label": label, **answered})[0]
        for e164, label, carrier in OUR_NUMBERS
    ]
    return [number for number in ours if has_credentials(number.carrier)] or ours


def _latest_round() -> Campaign | None:
    return Campaign.objects.filter(contact_list__name__startswith=_LIST_NAME).order_by("-pk").first()


def _round_of(campaign: Campaign) -> int:
    return int(campaign.contact_list.name.removeprefix(_LIST_NAME))


def _campaign(n_round: int, agent: VirtualAgent, numbers: list[Number], now: datetime) -> Campaign:
    campaign = Campaign.objects.create(
        name=_free_name(n_round),
        contact_list=_contacts(n_round, now),
        virtual_agent=agent,
        max_concurrent=12,
        calls_per_second=4,
        ring_timeout_s=20,
    )
    campaign.numbers.set(numbers)
    RetryRule.objects.create(campaign=campaign, outcome=Outcome.BUSY, delay_s=20, max_attempts=2)
    RetryRule.objects.create(campaign=campaign, outcome=Outcome.NO_ANSWER, delay_s=30, max_attempts=2)
    return campaign


def _free_name(n_round: int) -> str:
    name = "Demo: solar check" if n_round == 1 else f"Demo {n_round}: solar check"
    return name if not Campaign.objects.filter(name=name).exists() else f"{name} ({n_round})"


def _contacts(n_round: int, now: datetime) -> ContactList:
    """Thirty people in each of three languages, and a few more who must not be called."""
    contact_list = ContactList.objects.create(name=f"{_LIST_NAME}{n_round}")
    contacts = [
        _contact(contact_list, n_round, n, language, first, last)
        for place, (language, listed) in enumerate([("en", names.ENGLISH), ("es", names.SPANISH), ("cs", names.CZECH)])
        for n, (first, last) in enumerate(names.people(listed), start=place * _PER_LANGUAGE)
    ]
    extras = [
        _contact(contact_list, n_round, 0, "en", "Victor", "Langley", extra=1),
        _contact(contact_list, n_round, 30, "es", "Mercedes", "Olmedo", extra=1),
        _contact(contact_list, n_round, 60, "cs", "Hana", "Mikulová", extra=1),
        _contact(contact_list, n_round, 1, "en", "Martin", "Ashworth", extra=1),
    ]
    Contact.objects.bulk_create([*extras, *contacts])  # first in line, so that the reasons show from the start
    without, not_written, barred = extras[:2], extras[2], extras[3]
    agreed = [contact for contact in [*contacts, *extras] if contact not in without]
    Consent.objects.bulk_create(
        [
            Consent(
                phone=contact.phone,
                channel=Channel.VOICE,
                is_written=contact is not not_written,
                source="Web form, “call me about a solar check”" if contact is not not_written else "Said on the phone",
                given_at=now - _CONSENT_GIVEN_BEFORE,
            )
            for contact in agreed
        ],
        ignore_conflicts=True,
    )
    DncEntry.objects.bulk_create(
        [DncEntry(phone=barred.phone, channel=Channel.VOICE, note="Asked at the front desk")], ignore_conflicts=True
    )
    return contact_list


def _contact(
    contact_list: ContactList, n_round: int, ending: int, language: str, first: str, last: str, *, extra: int = 0
) -> Contact:
    """ending: the last two digits of the number, which tell the demo's numbers apart within an area."""
    area = AREA_CODES[(ending + n_round - 1 + 20 * extra) % len(AREA_CODES)]
    return Contact(
        contact_list=contact_list,
        phone=f"+1{area}55501{ending:02d}",
        country="US",
        time_zone="UTC",
        zone_source=ZoneSource.GIVEN,
        language=language,
        first_name=first,
        last_name=last,
    )


def _live_where_it_is_day(contact_list: ContactList, now: datetime) -> int:
    """Give everybody an explicit home where it is the middle of the day: the calling hours hold for the demo too."""
    from_, to = _MIDDLE_OF_DAY
    zones = [zone for zone in ZONES if from_ <= now.astimezone(ZoneInfo(zone)).time() <= to]
    contacts = list(Contact.objects.filter(contact_list=contact_list).order_by("pk"))
    for n, contact in enumerate(contacts):
        contact.time_zone = zones[n % len(zones)]
    Contact.objects.bulk_update(contacts, ["time_zone"])
    return len(contacts)
