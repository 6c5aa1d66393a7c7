"""Which column holds what: header names as people write them in English, Spanish and Czech."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

Known = Literal[
    "phone",
    "first_name",
    "last_name",
    "full_name",
    "email",
    "language",
    "time_zone",
    "country",
    "consent",
    "consent_date",
    "consent_source",
]
MOST_CUSTOM_COLUMNS = 50
LONGEST_CUSTOM_NAME = 60

_NAMES: dict[Known, str] = {
    "phone": "phone phone_number phone_no telephone telephone_number tel mobile mobile_phone mobile_number cell "
    "cell_phone cellphone msisdn number telefono numero_de_telefono numero_telefono numero movil celular "
    "telefono_movil telefon telefonni_cislo cislo_telefonu cislo mobil mobilni_telefon tel_cislo",
    "first_name": "first_name firstname given_name forename nombre nombre_de_pila jmeno krestni_jmeno",
    "last_name": "last_name lastname surname family_name apellido apellidos prijmeni",
    "full_name": "name full_name contact contact_name nombre_completo nombre_y_apellidos cele_jmeno jmeno_a_prijmeni",
    "email": "email e_mail mail email_address correo correo_electronico emailova_adresa",
    "language": "language lang idioma lengua jazyk",
    "time_zone": "time_zone timezone tz zona_horaria huso_horario casove_pasmo casova_zona",
    "country": "country country_code pais zeme stat",
    "consent": "consent opt_in optin consentimiento souhlas",
    "consent_date": "consent_date consent_given_at consent_at fecha_de_consentimiento fecha_consentimiento "
    "fecha_del_consentimiento datum_souhlasu souhlas_dne",
    "consent_source": "consent_source consent_origin origen_del_consentimiento origen_consentimiento zdroj_souhlasu",
}
_MEANING: dict[str, Known] = {name: known for known, names in _NAMES.items() for name in names.split()}
assert set(_NAMES) == set(get_args(Known))  # noqa: S101 - a slip in this file, not in a file of the user's


@dataclass(frozen=True, slots=True)
class Columns:
    """at: where each known column stands. custom: place and name of the others. n: how many there are."""

    at: dict[Known, int]
    custom: tuple[tuple[int, str], ...]
    n: int
    twice: str = ""  # the name of a known column that stands there more than once


def read_columns(header: Sequence[str]) -> Columns:
    at: dict[Known, int] = {}
    custom: list[tuple[int, str]] = []
    twice = ""
    for place, cell in enumerate(header):
        known = _MEANING.get(plain(cell))
        if known is None:
            name = cell.strip()[:LONGEST_CUSTOM_NAME]
            if name and len(custom) < MOST_CUSTOM_COLUMNS:
                custom.append((place, name))
        elif known in at:
            twice = twice or cell.strip()
        else:
            at[known] = place
    return Columns(at, tuple(custom), len(header), twice)


def plain(text: str) -> str:
    """Without accents, case and signs: "Teléfono móvil" becomes telefono_movil."""
    bare = "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))
    return re.sub(r"[^a-z0-9]+", "_", bare.casefold()).strip("_")
