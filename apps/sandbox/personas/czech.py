"""What Czech-speaking callees say: two or three phrasings of each line."""

from __future__ import annotations

from typing import Final

PHRASES: Final[dict[str, tuple[str, ...]]] = {
    "greeting": ("Haló?", "Prosím, u telefonu.", "Dobrý den, kdo volá?"),
    "interested": (
        "Ano, to mě zajímá. Řekněte mi o tom víc, prosím.",
        "Dobře, že voláte, zrovna jsem o tom přemýšlel.",
        "Jasně, pár minut mám. Co nabízíte?",
    ),
    "accept": ("No dobře, pokračujte, poslouchám vás.", "V pořádku, to nevadí, mluvte dál."),
    "talkative": (
        "To je zvláštní náhoda, protože mi zrovna včera soused vyprávěl o něčem podobném "
        "a říkal jsem manželce, že bychom se na to měli podívat, takže ano, povídejte, rád se dozvím víc.",
    ),
    "confirm": ("Ano, to mi vyhovuje. Děkuji.", "Dobře, uděláme to tak.", "Přesně tak, souhlasím."),
    "confirm_callback": ("Ano, ve tři se mi to hodí, děkuji.", "Přesně, zítra ve tři. Díky."),
    "confirm_waiting": (
        "Výborně, děkuji, to je všechno, co jsem potřeboval.",
        "Děkuji, teď mluvím se správným člověkem.",
    ),
    "not_interested": (
        "Ne, děkuji, nemám zájem.",
        "Už mám jiného dodavatele a jsem spokojený, promiňte.",
        "To pro mě opravdu není.",
    ),
    "opt_out": (
        "Vyřaďte mě prosím ze seznamu a už mi nevolejte.",
        "Přestaňte mi volat. Vymažte moje číslo z databáze.",
        "Už žádné takové hovory nechci. Smažte si moje číslo.",
    ),
    "callback_tomorrow_1500": (
        "Teď nemůžu mluvit. Můžete mi zavolat zítra ve tři odpoledne?",
        "Teď se to nehodí. Zavolejte mi prosím zítra v patnáct hodin.",
    ),
    "wants_human": (
        "Radši bych mluvil se živým člověkem. Můžete mě přepojit?",
        "Mohl bych mluvit s některým z vašich kolegů? S člověkem, prosím.",
    ),
    "wrong_person": (
        "Obávám se, že máte špatné číslo. Nikdo takový tu nebydlí.",
        "To nejsem já, spletli jste si osobu.",
    ),
    "busy_now": (
        "Promiňte, teď se to nehodí, zrovna řídím.",
        "Jsem na poradě, teď nemůžu mluvit.",
        "Teď ne, prosím, mám moc práce.",
    ),
    "interruption": (
        "Počkejte, promiňte, že vám skáču do řeči, mám nejdřív otázku.",
        "Moment, moment, nechte mě něco říct.",
    ),
    "are_you_robot": ("Počkejte, vy jste robot?", "Mluvím se strojem, nebo s člověkem?"),
    "question_price": ("A kolik to stojí?", "Kolik bych za to měsíčně platil?"),
    "who_is_calling": ("Kdo volá, prosím, a o co jde?", "Promiňte, z jaké firmy jste?"),
    "ask_repeat": ("Promiňte, nerozuměl jsem. Můžete to zopakovat?", "Prosím? Je vás špatně slyšet, zopakujte to."),
    "send_information": (
        "Můžete mi to nejdřív poslat e-mailem? Chci si to v klidu přečíst.",
        "Pošlete mi podrobnosti ve zprávě, prosím.",
    ),
    "other_language": (
        "Promiňte, můžeme mluvit česky, prosím? Jinému jazyku nerozumím.",
        "Nezlobte se, mluvíte česky? Jinak vám nerozumím ani slovo.",
    ),
    "card_number": (
        "Tak si napište moji kartu. Číslo je 4242 4242 4242 4242, platnost do 12/30, bezpečnostní kód 123.",
        "Zaplatím hned. Číslo mé karty je 4242 4242 4242 4242 a kód na zadní straně je 123.",
    ),
    "wants_transfer": (
        "Přepojte mě prosím do vaší kanceláře, chci to vyřídit se svým poradcem.",
        "Můžete mě prosím spojit s vaší ústřednou? Počkám na lince.",
    ),
    "wants_sms": (
        "Pošlete mi prosím podrobnosti v esemesce, než domluvíme.",
        "Můžete mi prosím poslat esemesku s odkazem na to všechno?",
    ),
    "still_there": ("Haló? Jste tam ještě?", "Haló, slyšíte mě?"),
    "goodbye": ("Na shledanou.", "Díky, mějte se.", "Tak dobře, hezký den. Na slyšenou."),
    "voicemail_greeting": (
        "Dobrý den, tady je moje hlasová schránka. Teď nemůžu přijmout hovor. Nechte mi vzkaz po zaznění tónu.",
        "Volaný účastník není dostupný. Po zaznění signálu zanechte vzkaz.",
    ),
    "screener": (
        "Dobrý den, volaný používá službu prověřování hovorů. Řekněte prosím své jméno a důvod hovoru.",
        "Než vás přepojím, řekněte prosím, kdo jste a proč voláte.",
    ),
    "screener_connecting": ("Děkuji. Zůstaňte prosím na lince.", "Děkuji. Okamžik, přepojuji vás."),
    "ivr_menu": (
        "Vítejte ve společnosti Sever. Pro obchodní oddělení stiskněte jedničku. Pro fakturaci stiskněte dvojku. "
        "Pro zopakování nabídky stiskněte devítku.",
        "Děkujeme za zavolání. Pro spojení s kanceláří stiskněte jedničku. Pro otevírací dobu stiskněte dvojku.",
    ),
    "ivr_invalid": ("Omlouváme se, tato volba není platná.",),
    "ivr_connecting": ("Děkujeme. Spojujeme vás s prvním volným kolegou.",),
    "ivr_goodbye": ("Nezaznamenali jsme vaši volbu. Hovor bude ukončen.",),
}
