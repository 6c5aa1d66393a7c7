"""What the sandbox's virtual agent says, in its three languages. These sentences are speech, not interface text."""

from __future__ import annotations

from typing import Final

LANGUAGES: Final = ("en", "es", "cs")

PHRASES: Final[dict[str, dict[str, str]]] = {
    "hello": {"en": "Hello!", "es": "¡Hola, buenos días!", "cs": "Dobrý den!"},
    "identity_both": {
        "en": "This is {agent}, an AI assistant calling on behalf of {company}.",
        "es": "Soy {agent}, asistente virtual de inteligencia artificial, y llamo de parte de {company}.",
        "cs": "Tady {agent}, virtuální asistent s umělou inteligencí, volám za společnost {company}.",
    },
    "identity_agent": {
        "en": "This is {agent}, an AI assistant.",
        "es": "Soy {agent}, asistente virtual de inteligencia artificial.",
        "cs": "Tady {agent}, virtuální asistent s umělou inteligencí.",
    },
    "identity_company": {
        "en": "This is an AI assistant calling on behalf of {company}.",
        "es": "Soy un asistente virtual de inteligencia artificial y llamo de parte de {company}.",
        "cs": "Tady virtuální asistent s umělou inteligencí, volám za společnost {company}.",
    },
    "identity_none": {
        "en": "This is an AI assistant.",
        "es": "Soy un asistente virtual de inteligencia artificial.",
        "cs": "Tady virtuální asistent s umělou inteligencí.",
    },
    "purpose": {
        "en": "The reason for my call: {purpose}.",
        "es": "El motivo de mi llamada: {purpose}.",
        "cs": "Důvod mého hovoru: {purpose}.",
    },
    "purpose_unknown": {
        "en": "I am calling with an offer that may interest you.",
        "es": "Le llamo por una oferta que le puede interesar.",
        "cs": "Volám s nabídkou, která by vás mohla zajímat.",
    },
    "have_a_minute": {
        "en": "Do you have a minute?",
        "es": "¿Tiene usted un minuto?",
        "cs": "Máte na mě chvilku?",
    },
    "tell_you_more": {
        "en": "May I tell you more about it?",
        "es": "¿Puedo contarle algo más?",
        "cs": "Mohu vám o tom říct víc?",
    },
    "shall_we": {
        "en": "I am glad to hear that. Shall I have everything prepared for you and note that you agree?",
        "es": "Me alegra oírlo. ¿Le parece bien que lo preparemos todo y anote que está de acuerdo?",
        "cs": "To mě těší. Mám pro vás všechno připravit a poznamenat si, že souhlasíte?",
    },
    "thanks_agreed": {
        "en": "Thank you very much, I have noted that. Have a nice day, goodbye!",
        "es": "Muchas gracias, queda anotado. Que tenga un buen día, ¡adiós!",
        "cs": "Mockrát děkuji, mám to poznamenané. Hezký den a na shledanou!",
    },
    "decline": {
        "en": "I understand, thank you for your time. Have a nice day, goodbye!",
        "es": "Lo entiendo, gracias por su tiempo. Que tenga un buen día, ¡adiós!",
        "cs": "Rozumím, děkuji za váš čas. Hezký den a na shledanou!",
    },
    "removed": {
        "en": "I have removed your number from our list and we will not call you again. "
        "I am sorry to have disturbed you. Goodbye.",
        "es": "He quitado su número de nuestra lista y no volveremos a llamarle. Perdone la molestia. Adiós.",
        "cs": "Vaše číslo je ze seznamu vyřazené a už vám volat nebudeme. Omlouvám se za vyrušení. Na shledanou.",
    },
    "removal_failed": {
        "en": "I have noted that you do not want to be called again. I am sorry to have disturbed you. Goodbye.",
        "es": "He anotado que no quiere recibir más llamadas. Perdone la molestia. Adiós.",
        "cs": "Mám poznamenané, že si další hovory nepřejete. Omlouvám se za vyrušení. Na shledanou.",
    },
    "callback_set": {
        "en": "Of course. I will call you back tomorrow at three in the afternoon. Is that right?",
        "es": "Por supuesto. Le llamaré mañana a las tres de la tarde. ¿Es correcto?",
        "cs": "Samozřejmě. Zavolám vám zítra ve tři odpoledne. Je to tak správně?",
    },
    "callback_failed": {
        "en": "I could not enter that time, but I have noted that you want to be called back. Is that all right?",
        "es": "No he podido apuntar esa hora, pero he anotado que quiere que le llamemos. ¿Le parece bien?",
        "cs": "Ten čas se mi nepodařilo zapsat, ale mám poznamenané, že máme zavolat znovu. Vyhovuje vám to?",
    },
    "until_then": {
        "en": "Thank you. Until tomorrow then, goodbye!",
        "es": "Gracias. Hasta mañana entonces, ¡adiós!",
        "cs": "Děkuji. Tak zítra na slyšenou!",
    },
    "connecting": {
        "en": "Of course. Please stay on the line, I am putting you through to a colleague.",
        "es": "Por supuesto. No cuelgue, por favor, le paso con un compañero.",
        "cs": "Samozřejmě. Zůstaňte prosím na lince, přepojuji vás na kolegu.",
    },
    "connecting_office": {
        "en": "Of course. Please stay on the line, I am connecting you with our office.",
        "es": "Por supuesto. No cuelgue, por favor, le paso con nuestra oficina.",
        "cs": "Samozřejmě. Zůstaňte prosím na lince, spojuji vás s naší kanceláří.",
    },
    "colleague_will_call": {
        "en": "I can not put you through right now, but a colleague will call you back. Thank you and goodbye!",
        "es": "Ahora mismo no puedo pasarle, pero un compañero le llamará. Gracias y ¡hasta luego!",
        "cs": "Teď vás bohužel přepojit nemohu, ale kolega se vám ozve. Děkuji a na shledanou!",
    },
    "wrong_person": {
        "en": "I am sorry, I must have the wrong number. Please excuse the disturbance. Goodbye!",
        "es": "Perdone, debo de tener un número equivocado. Disculpe la molestia. ¡Adiós!",
        "cs": "Omlouvám se, mám asi špatné číslo. Promiňte vyrušení. Na shledanou!",
    },
    "offer_callback": {
        "en": "I am sorry for calling at a bad moment. Shall I call you back tomorrow at three in the afternoon?",
        "es": "Siento llamar en mal momento. ¿Quiere que le llame mañana a las tres de la tarde?",
        "cs": "Omlouvám se, že volám nevhod. Mám zavolat zítra ve tři odpoledne?",
    },
    "robot": {
        "en": "Yes, to be honest with you, I am an AI assistant, not a person. May I go on?",
        "es": "Sí, le soy sincero: soy un asistente de inteligencia artificial, no una persona. ¿Puedo continuar?",
        "cs": "Ano, řeknu to na rovinu: jsem asistent s umělou inteligencí, ne člověk. Mohu pokračovat?",
    },
    "price": {
        "en": "That depends on what you choose; you will get the exact price in writing, and it commits you to "
        "nothing. Shall I have it prepared?",
        "es": "Depende de lo que elija; recibirá el precio exacto por escrito y sin compromiso. ¿Se lo preparamos?",
        "cs": "Záleží na tom, co si vyberete; přesnou cenu dostanete písemně a nezávazně. Mám ji nechat připravit?",
    },
    "information": {
        "en": "Gladly, we will send you all the details in writing. Shall I note that down?",
        "es": "Con mucho gusto, le enviaremos todos los detalles por escrito. ¿Lo anoto así?",
        "cs": "Samozřejmě, všechny podrobnosti vám pošleme písemně. Mám si to tak poznamenat?",
    },
    "text_sent": {
        "en": "There you are, a text message with the details is on its way to you. Does that suit you?",
        "es": "Listo, ya va en camino un mensaje de texto con los detalles. ¿Le parece bien así?",
        "cs": "Tak, esemeska s podrobnostmi už je na cestě k vám. Vyhovuje vám to tak?",
    },
    "text_later": {
        "en": "I can not send a text message from here, but we will write to you. Shall I note that down?",
        "es": "Desde aquí no puedo enviarle un mensaje de texto, pero le escribiremos. ¿Lo anoto así?",
        "cs": "Odtud vám esemesku poslat nemohu, ale napíšeme vám. Mám si to tak poznamenat?",
    },
    "text_message": {
        "en": "as agreed on the phone, we will send you all the details. Thank you for your time!",
        "es": "como acordamos por teléfono, le enviaremos todos los detalles. ¡Gracias por su tiempo!",
        "cs": "jak jsme se domluvili po telefonu, pošleme vám všechny podrobnosti. Děkujeme za váš čas!",
    },
    "card_noted": {
        "en": "Thank you, I have your card data and will not repeat them. Shall I note that you agree?",
        "es": "Gracias, tengo los datos de su tarjeta y no los voy a repetir. ¿Anoto que está de acuerdo?",
        "cs": "Děkuji, údaje o vaší kartě mám a nebudu je opakovat. Mám si poznamenat, že souhlasíte?",
    },
    "your_language": {
        "en": "Of course, let us speak English.",
        "es": "Por supuesto, hablemos en español.",
        "cs": "Samozřejmě, budeme mluvit česky.",
    },
    "go_ahead": {
        "en": "Of course, please go ahead, I am listening.",
        "es": "Por supuesto, dígame, le escucho.",
        "cs": "Samozřejmě, prosím, poslouchám vás.",
    },
    "still_here": {
        "en": "Yes, I am here.",
        "es": "Sí, aquí estoy.",
        "cs": "Ano, jsem tady.",
    },
    "sorry_for_that": {
        "en": "I am sorry, the line was disturbed for a moment.",
        "es": "Perdone, la línea ha fallado un momento.",
        "cs": "Omlouvám se, na chvilku vypadlo spojení.",
    },
    "are_you_there": {
        "en": "Hello, are you there?",
        "es": "Hola, ¿sigue ahí?",
        "cs": "Haló, jste tam?",
    },
    "are_you_there_again": {
        "en": "I can not hear you. Are you still there?",
        "es": "No le oigo. ¿Sigue usted ahí?",
        "cs": "Neslyším vás. Jste ještě na lince?",
    },
    "nobody_there": {
        "en": "I can not hear anybody, so I will end the call now. Goodbye.",
        "es": "No oigo a nadie, así que voy a terminar la llamada. Adiós.",
        "cs": "Nikoho neslyším, proto hovor ukončím. Na shledanou.",
    },
    "say_again": {
        "en": "Sorry, I did not understand you. Could you say that again, please?",
        "es": "Perdone, no le he entendido. ¿Puede repetirlo, por favor?",
        "cs": "Promiňte, nerozumím vám. Můžete to prosím zopakovat?",
    },
    "say_again_slowly": {
        "en": "I am sorry, I still can not understand you. Please say it once more, slowly.",
        "es": "Lo siento, sigo sin entenderle. Dígalo otra vez, despacio, por favor.",
        "cs": "Omlouvám se, pořád vám nerozumím. Řekněte to prosím ještě jednou a pomalu.",
    },
    "can_not_understand": {
        "en": "I am sorry, the line is too bad to understand you. Goodbye.",
        "es": "Lo siento, la línea es demasiado mala para entenderle. Adiós.",
        "cs": "Omlouvám se, spojení je tak špatné, že vám nerozumím. Na shledanou.",
    },
    "voicemail": {
        "en": "I am sorry that I missed you. We will try again another time. Goodbye.",
        "es": "Siento no haberle encontrado. Lo intentaremos en otro momento. Adiós.",
        "cs": "Škoda, že vás teď nemohu zastihnout. Zkusíme to jindy. Na shledanou.",
    },
    "thank_you": {"en": "Thank you.", "es": "Gracias.", "cs": "Děkuji."},
    "goodbye": {
        "en": "Thank you for your time. Goodbye!",
        "es": "Gracias por su tiempo. ¡Adiós!",
        "cs": "Děkuji za váš čas. Na shledanou!",
    },
    "time_is_up": {
        "en": "I am sorry, I have to end our call now. Thank you and goodbye!",
        "es": "Lo siento, tengo que terminar la llamada. Gracias y ¡adiós!",
        "cs": "Omlouvám se, musím náš hovor ukončit. Děkuji a na shledanou!",
    },
}
