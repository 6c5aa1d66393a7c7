"""What the demo's virtual agent says and knows, and what its conversations can come to, in every language."""

from dataclasses import dataclass

AGENT_NAME = "Helios adviser"
SPEAKS_AS = "Ada"
COMPANY = "Helios Home Energy"

GREETING = {
    "en": "Hello {first_name}, this is {agent}, {disclosure} calling for {company}. {recording} Do you have a minute?",
    "es": "Hola {first_name}, soy {agent}, {disclosure}, y llamo de parte de {company}. {recording} "
    "¿Tiene usted un minuto?",
    "cs": "Dobrý den, {first_name}, tady {agent}, {disclosure}, volám za společnost {company}. {recording} "
    "Máte na mě chvilku?",
}

DISCLOSURE = {
    "en": "an AI assistant",
    "es": "una asistente de inteligencia artificial",
    "cs": "asistentka s umělou inteligencí",
}

VOICEMAIL = {
    "en": "This is {agent}, an AI assistant of {company}. We offer you a free solar check and will try you again.",
    "es": "Soy {agent}, asistente de inteligencia artificial de {company}. Le ofrecemos un estudio solar gratuito y "
    "volveremos a llamarle.",
    "cs": "Tady {agent}, asistentka s umělou inteligencí společnosti {company}. Nabízíme vám bezplatné ověření úspor a "
    "zkusíme to znovu.",
}

# What is made of each conversation afterwards.
FIELDS = {
    "wants_visit": {"type": "boolean", "description": "Whether the person agreed to a visit"},
    "callback_wish": {"type": "string", "description": "When the person wants to be called again, in their words"},
    "reason": {"type": "string", "description": "Why the person is or is not interested"},
}
CHECKLIST = """Did the agent say that it is an AI?
Did the agent say why it calls?
Did the agent respect what the person wanted?"""

INSTRUCTIONS = {
    "en": """\
Purpose: a free check of how much solar panels would save in your home
Question: Shall I note that you would like the free check, and have an engineer arrange a date with you?
Voicemail: This is Ada, an AI assistant of Helios Home Energy. We offer you a free solar check and will try you again.

Find out whether the person would like the free check. You are friendly, brief and honest.
- If you are asked: yes, you are an AI. Never claim to be a person.
- The check costs nothing and commits to nothing. Do not name prices or savings; an engineer works them out.
- If the person wants written information, say that it will be sent, and choose wants_information.
- If the person wants a human, say that a colleague will call on the next working day, schedule that callback, and \
choose wants_human.
- If the person asks not to be called again in whatever words, or presses 9 to be removed from the list, opt them out \
at once, say so, and end the call politely.
- If it is a bad time, offer to call back, and agree a day and an hour.
- If somebody else answers, apologise and end the call. Tell a third person nothing about why you call.
- Always choose a disposition before you end the call.""",
    "es": """\
Motivo: una comprobación gratuita de cuánto ahorrarían unas placas solares en su casa
Pregunta: ¿Anoto que desea la comprobación gratuita y que un técnico acuerde la fecha con usted?
Mensaje de voz: Soy Ada, asistente de inteligencia artificial de Helios Home Energy. Le ofrecemos un estudio solar \
gratuito y volveremos a llamarle.

Averigua si la persona desea la comprobación gratuita. Sé amable, breve y sincera.
- Si te lo preguntan: sí, eres una inteligencia artificial. Nunca digas que eres una persona.
- La comprobación es gratuita y sin compromiso. No digas precios ni ahorros; los calcula un técnico.
- Si quiere información por escrito, di que se le enviará y elige wants_information.
- Si quiere hablar con una persona, di que un compañero le llamará el próximo día laborable, agenda esa llamada y \
elige wants_human.
- Si pide de cualquier modo que no le llamen más, o pulsa la tecla 9 para salir de la lista, dale de baja al momento, \
dilo y termina la llamada con cortesía.
- Si es mal momento, ofrece volver a llamar y acuerda día y hora.
- Si contesta otra persona, discúlpate y termina. No cuentes a terceros por qué llamas.
- Elige siempre un resultado antes de terminar la llamada.""",
    "cs": """\
Důvod: bezplatné ověření, kolik by ve vaší domácnosti ušetřily solární panely
Otázka: Mám si poznamenat, že o bezplatné ověření máte zájem a technik se s vámi domluví na termínu?
Vzkaz: Tady Ada, asistentka s umělou inteligencí společnosti Helios Home Energy. Nabízíme vám bezplatné ověření úspor \
a zkusíme to znovu.

Zjisti, zda má člověk o bezplatné ověření zájem. Buď přátelská, stručná a upřímná.
- Na dotaz odpověz: ano, jsi umělá inteligence. Nikdy netvrď, že jsi člověk.
- Ověření je zdarma a k ničemu nezavazuje. Neuváděj ceny ani úspory, spočítá je technik.
- Chce-li informace písemně, řekni, že mu je pošleme, a zvol wants_information.
- Chce-li mluvit s člověkem, řekni, že zavolá kolega příští pracovní den, domluv toto zavolání a zvol wants_human.
- Požádá-li jakkoli, aby mu už nikdo nevolal, nebo stiskne-li klávesu 9 pro vyřazení ze seznamu, hned ho vyřaď, řekni \
to a zdvořile hovor ukonči.
- Nehodí-li se mu to, nabídni, že zavoláš jindy, a domluv den a hodinu.
- Zvedne-li to někdo jiný, omluv se a hovor ukonči. Nikomu třetímu neříkej, proč voláš.
- Než hovor ukončíš, vždy zvol výsledek.""",
}


@dataclass(frozen=True, slots=True)
class Meaning:
    """A disposition: its code, and name and description by language."""

    code: str
    name: dict[str, str]
    description: dict[str, str]
    is_success: bool = False


MEANINGS = (
    Meaning(
        "interested",
        {"en": "Interested", "es": "Interesado", "cs": "Má zájem"},
        {
            "en": "Wants what we offer and agreed to the next step.",
            "es": "Quiere lo que ofrecemos y aceptó el siguiente paso.",
            "cs": "O nabídku stojí a souhlasil s dalším krokem.",
        },
        is_success=True,
    ),
    Meaning(
        "wants_information",
        {"en": "Wants information", "es": "Quiere información", "cs": "Chce informace"},
        {
            "en": "Wants it in writing before deciding.",
            "es": "Lo quiere por escrito antes de decidir.",
            "cs": "Chce vše nejdřív písemně.",
        },
    ),
    Meaning(
        "callback",
        {"en": "Call back", "es": "Volver a llamar", "cs": "Zavolat později"},
        {
            "en": "Agreed to be called at another time.",
            "es": "Acordó que le llamemos en otro momento.",
            "cs": "Domluvil si zavolání na jindy.",
        },
    ),
    Meaning(
        "wants_human",
        {"en": "Wants a person", "es": "Quiere una persona", "cs": "Chce člověka"},
        {
            "en": "Asked to speak with a human colleague.",
            "es": "Pidió hablar con una persona.",
            "cs": "Chtěl mluvit s člověkem.",
        },
    ),
    Meaning(
        "not_interested",
        {"en": "Not interested", "es": "No interesado", "cs": "Nemá zájem"},
        {"en": "Declined the offer.", "es": "Rechazó la oferta.", "cs": "Nabídku odmítl."},
    ),
    Meaning(
        "bad_time",
        {"en": "Bad time", "es": "Mal momento", "cs": "Nevhodná chvíle"},
        {
            "en": "Could not talk, and no other time was agreed.",
            "es": "No podía hablar y no se acordó otro momento.",
            "cs": "Nemohl mluvit a na jiném čase se nedomluvil.",
        },
    ),
    Meaning(
        "wrong_person",
        {"en": "Wrong person", "es": "Persona equivocada", "cs": "Někdo jiný"},
        {
            "en": "Somebody else has this number.",
            "es": "El número es de otra persona.",
            "cs": "Číslo má někdo jiný.",
        },
    ),
    Meaning(
        "opt_out",
        {"en": "Do not call again", "es": "No volver a llamar", "cs": "Už nevolat"},
        {
            "en": "Asked not to be contacted again.",
            "es": "Pidió que no le contacten más.",
            "cs": "Požádal, aby ho už nikdo nekontaktoval.",
        },
    ),
    Meaning(
        "voicemail",
        {"en": "Voicemail", "es": "Buzón de voz", "cs": "Hlasová schránka"},
        {
            "en": "An answering machine took the call.",
            "es": "Contestó un buzón de voz.",
            "cs": "Hovor přijala hlasová schránka.",
        },
    ),
    Meaning(
        "ivr",
        {"en": "Phone menu", "es": "Menú telefónico", "cs": "Telefonní menu"},
        {
            "en": "An automatic menu answered and nobody came on.",
            "es": "Contestó un menú automático y no atendió nadie.",
            "cs": "Ozvalo se automatické menu a nikdo se nepřihlásil.",
        },
    ),
    Meaning(
        "fax",
        {"en": "Fax", "es": "Fax", "cs": "Fax"},
        {"en": "A fax machine answered.", "es": "Contestó un fax.", "cs": "Ozval se fax."},
    ),
    Meaning(
        "no_response",
        {"en": "No response", "es": "Sin respuesta", "cs": "Bez odezvy"},
        {
            "en": "Picked up, but nothing was said or understood.",
            "es": "Descolgó, pero no dijo nada o no se entendió.",
            "cs": "Hovor přijal, ale nic neřekl nebo nebylo rozumět.",
        },
    ),
    Meaning(
        "undecided",
        {"en": "Undecided", "es": "Indeciso", "cs": "Nerozhodnuto"},
        {
            "en": "The conversation ended before anything was settled.",
            "es": "La conversación terminó sin llegar a nada.",
            "cs": "Hovor skončil dřív, než se něco vyřešilo.",
        },
    ),
)
