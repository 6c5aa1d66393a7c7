"""The design system's tags: ``{% load ui %}``. Each renders a template of templates/includes/; see /styleguide/.

A block tag (``{% card %}…{% endcard %}``) is a part that holds other markup; a plain one (``{% status %}``) is not.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django import template
from django.template import Context
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.accounts.permissions import allowed
from apps.accounts.roles import Permission
from apps.cockpit.tones import look_of, word_of
from apps.core.phone import display, mask
from apps.core.tables import Column

register = template.Library()
_TONE_ICONS = {
    "ok": "circle-check",
    "info": "info-circle",
    "warn": "alert-triangle",
    "bad": "alert-octagon",
    "idle": "info-circle",
}


@register.simple_tag
def icon(name: str, *, label: str = "", css: str = "") -> SafeString:
    """An icon of static/icons.svg. label: read aloud where no word stands beside it."""
    href = f"{static('icons.svg')}#{name}"
    classes = f"icon {css}".strip()
    if label:
        return format_html('<svg class="{}" role="img" aria-label="{}"><use href="{}"/></svg>', classes, label, href)
    return format_html('<svg class="{}" aria-hidden="true"><use href="{}"/></svg>', classes, href)


@register.simple_tag
def status(kind: str, code: str, label: str | Promise = "") -> SafeString:
    """A state as icon and word: ``{% status "campaign" campaign.state %}``. kind: a key of cockpit.tones.CHOICES."""
    look = look_of(kind, code)
    return badge(look.tone, look.icon, label or word_of(kind, code))


@register.simple_tag
def badge(tone: str, icon_name: str, label: str | Promise) -> SafeString:
    """The same for facts that are no state: ``{% badge "warn" "clock" _("late") %}``."""
    return render_to_string("includes/status.html", {"tone": tone, "icon_name": icon_name, "label": label})


@register.filter
def m_ss(seconds: float | None) -> str:
    """A duration as m:ss, or h:mm:ss from an hour on; an en dash where there is none."""
    if seconds is None:
        return "–"
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"


@register.filter
def ms_as_m_ss(milliseconds: int | None) -> str:
    return m_ss(None if milliseconds is None else milliseconds / 1000)


@register.filter
def percent(share: float | None) -> str:
    """A share of 0–1 as whole per cent; an en dash where nothing counts yet."""
    return "–" if share is None else f"{round(share * 100)} %"


@register.inclusion_tag("includes/timer.html")
def timer(since: datetime, until: datetime | None = None) -> dict[str, object]:
    """Time since a moment, ticking; or the fixed length from since to until."""
    end = until or timezone.now()
    return {"since": since, "is_ticking": until is None, "seconds": (end - since).total_seconds()}


@register.simple_tag(takes_context=True)
def phone(context: Context, e164: str) -> SafeString:
    """A number as its country writes it, for those who may see it; masked for the others. Never broken over lines."""
    user = context.get("user")
    may_see = user is not None and allowed(user, Permission.CONTACTS_UNMASK)
    return format_html('<bdi class="num nowrap">{}</bdi>', display(e164) if may_see else mask(e164))


@register.simple_tag(takes_context=True)
def allows(context: Context, permission: str) -> bool:
    """``{% allows "campaigns.control" as may_control %}``: whether the visitor holds a permission of roles.py."""
    user = context.get("user")
    return user is not None and allowed(user, Permission(permission))


def _rendered(name: str, context: Context, values: Mapping[str, object]) -> SafeString:
    return render_to_string(f"includes/{name}.html", {**values, "request": context.get("request")})


@register.simple_block_tag(takes_context=True)
def page_header(
    context: Context,
    content: str,
    title: str | Promise,
    *,
    subtitle: str | Promise = "",
    crumbs: Sequence[tuple[str, str]] = (),
    badge: str = "",
) -> SafeString:
    values = {
        "title": title,
        "subtitle": subtitle,
        "crumbs": crumbs,
        "badge": badge,
        "actions": SafeString(content.strip()),
    }
    return _rendered("page_header", context, values)


@register.simple_block_tag(takes_context=True)
def card(
    context: Context,
    content: str,
    title: str | Promise = "",
    *,
    note: str | Promise = "",
    link: str = "",
    link_label: str | Promise = "",
    is_flush: bool = False,
    css: str = "",
) -> SafeString:
    values = {
        "title": title,
        "note": note,
        "link": link,
        "link_label": link_label,
        "is_flush": is_flush,
        "css": css,
        "content": content,
    }
    return _rendered("card", context, values)


@register.simple_block_tag(takes_context=True)
def alert(
    context: Context, content: str, tone: str = "info", *, title: str | Promise = "", is_urgent: bool = False
) -> SafeString:
    values = {"tone": tone, "icon_name": _TONE_ICONS[tone], "title": title, "is_urgent": is_urgent, "content": content}
    return _rendered("alert", context, values)


@register.simple_block_tag(takes_context=True)
def empty(context: Context, content: str, title: str | Promise, *, icon: str = "inbox") -> SafeString:
    return _rendered("empty", context, {"title": title, "icon_name": icon, "content": content})


@register.simple_block_tag(takes_context=True)
def dialog(
    context: Context,
    content: str,
    name: str,
    title: str | Promise,
    *,
    action: str = "",
    confirm: str | Promise = "",
    cancel: str | Promise = "",
    is_danger: bool = False,
    confirm_icon: str = "",
) -> SafeString:
    values = {
        "name": name,
        "title": title,
        "action": action,
        "confirm": confirm,
        "cancel": cancel,
        "is_danger": is_danger,
        "confirm_icon": confirm_icon,
        "content": content,
    }
    # render_to_string with the request puts the CSRF token at the form's disposal
    return render_to_string("includes/dialog.html", values, request=context.get("request"))


@register.simple_block_tag(takes_context=True)
def menu(
    context: Context, content: str, label: str | Promise, *, icon: str = "dots-vertical", shows_label: bool = False
) -> SafeString:
    return _rendered(
        "menu", context, {"label": label, "icon_name": icon, "shows_label": shows_label, "content": content}
    )


@register.simple_block_tag(takes_context=True)
def data_table(
    context: Context,
    content: str,
    columns: Sequence[Column],
    caption: str | Promise,
    *,
    sort: str = "",
    stacks: bool = True,
) -> SafeString:
    """Rows are the content. sort: the key that holds now, as tables.sort_fields gave it."""
    heads = []
    for column in columns:
        is_current = sort.removeprefix("-") == column.key
        is_descending = is_current and sort.startswith("-")
        heads.append(
            {
                "column": column,
                "aria_sort": ("descending" if is_descending else "ascending") if is_current else "",
                "next": column.key if is_descending or not is_current else f"-{column.key}",
                "icon": ("arrow-down" if is_descending else "arrow-up") if is_current else "selector",
            }
        )
    values = {"heads": heads, "caption": caption, "stacks": stacks, "content": content}
    return render_to_string("includes/data_table.html", values, request=context.get("request"))


@register.simple_tag
def funnel_steps(*pairs: object) -> list[dict[str, Any]]:
    """``{% funnel_steps _("To call") 60 _("Tried") 41 as steps %}``: label and count in turn, shares of the first."""
    labels_and_counts = list(zip(pairs[::2], pairs[1::2], strict=True))
    whole = max((int(str(n)) for _label, n in labels_and_counts), default=0)
    return [
        {"label": label, "n": int(str(n)), "share": int(str(n)) / whole if whole else 0.0}
        for label, n in labels_and_counts
    ]


@register.filter
def width(share: float | None) -> str:
    """A share of 0–1 as an SVG length; SVG attributes are not styles, so the policy lets them be."""
    return f"{max(0.0, min(1.0, share or 0.0)) * 100:.2f}%"
