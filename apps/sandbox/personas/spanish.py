"""What Spanish-speaking callees say: two or three phrasings of each line."""

from __future__ import annotations

from typing import Final

PHRASES: Final[dict[str, tuple[str, ...]]] = {
    "greeting": ("¿Dígame?", "¿Sí? ¿Hola?", "Hola, buenas, ¿quién es?"),
    "interested": (
        "Sí, me interesa. Cuénteme más, por favor.",
        "Ah, qué bien que llama, justo lo estaba pensando.",
        "Claro, tengo unos minutos. ¿Qué me ofrecen?",
    ),
    "accept": ("Bueno, está bien. Siga, le escucho.", "Vale, no pasa nada, continúe."),
    "talkative": (
        "Pues mire qué casualidad, porque ayer mismo mi vecino me habló de algo muy parecido, "
        "y le dije a mi mujer que teníamos que informarnos, así que sí, adelante, me gustaría saber más.",
    ),
    "confirm": (
        "Sí, me parece bien. Muchas gracias.",
        "De acuerdo, lo hacemos así.",
        "Exacto, estoy conforme.",
    ),
    "confirm_callback": ("Sí, a las tres me viene perfecto, gracias.", "Eso es, mañana a las tres. Gracias."),
    "confirm_waiting": (
        "Estupendo, gracias, eso era todo.",
        "Gracias, ahora sí hablo con la persona indicada.",
    ),
    "not_interested": (
        "No, gracias, no me interesa.",
        "Ya tengo otra compañía y estoy contento, lo siento.",
        "La verdad es que eso no es para mí.",
    ),
    "opt_out": (
        "Bórreme de su lista y no me llame más, por favor.",
        "Dejen de llamarme. Quiten mi número de su base de datos.",
        "No quiero recibir más llamadas de estas. Elimine mi número.",
    ),
    "callback_tomorrow_1500": (
        "Ahora no puedo hablar. ¿Me puede llamar mañana a las tres de la tarde?",
        "No es buen momento. Llámeme mañana a las tres, por favor.",
    ),
    "wants_human": (
        "Prefiero hablar con una persona de verdad. ¿Me puede pasar con alguien?",
        "¿Podría hablar con un compañero suyo, por favor? Con un agente humano.",
    ),
    "wrong_person": (
        "Me temo que se ha equivocado de número. Aquí no vive nadie con ese nombre.",
        "No soy yo, se ha equivocado de persona.",
    ),
    "busy_now": (
        "Perdone, me pilla en mal momento, voy conduciendo.",
        "Estoy en una reunión, ahora no puedo hablar.",
        "Ahora no, por favor, estoy muy ocupado.",
    ),
    "interruption": (
        "Espere, perdone que le interrumpa, antes tengo una pregunta.",
        "Un momento, un momento, déjeme decirle una cosa.",
    ),
    "are_you_robot": ("Un momento, ¿es usted un robot?", "¿Estoy hablando con una máquina o con una persona?"),
    "question_price": ("¿Y cuánto cuesta?", "¿Cuánto tendría que pagar al mes por eso?"),
    "who_is_calling": ("¿Quién llama, por favor, y de qué se trata?", "Perdone, ¿de qué empresa es usted?"),
    "ask_repeat": ("Perdone, no le he entendido. ¿Me lo puede repetir?", "¿Cómo? Se oye mal, repita, por favor."),
    "send_information": (
        "¿Me lo podría mandar primero por correo? Quiero leerlo con calma.",
        "Envíeme un mensaje con los detalles, por favor.",
    ),
    "other_language": (
        "Perdone, ¿podemos hablar en español, por favor? No entiendo otro idioma.",
        "Disculpe, ¿habla usted español? Si no, no le puedo seguir.",
    ),
    "card_number": (
        "Entonces apunte mi tarjeta. El número es 4242 4242 4242 4242, caduca en 12/30, código de seguridad 123.",
        "Pago ahora mismo. Mi número de tarjeta es 4242 4242 4242 4242, y el código de atrás es 123.",
    ),
    "wants_transfer": (
        "Páseme con su oficina, por favor, quiero arreglarlo con mi asesor.",
        "¿Me puede transferir a su central, por favor? Me quedo a la espera.",
    ),
    "wants_sms": (
        "Mándeme los detalles por SMS mientras hablamos, por favor.",
        "¿Me puede enviar un SMS con un enlace a todo eso, por favor?",
    ),
    "still_there": ("¿Hola? ¿Sigue ahí?", "¿Oiga? ¿Me oye?"),
    "goodbye": ("Adiós.", "Gracias, hasta luego.", "Muy bien, que tenga un buen día. Adiós."),
    "voicemail_greeting": (
        "Hola, este es mi buzón de voz. Ahora no puedo atender la llamada. Deje su mensaje después de la señal.",
        "El teléfono al que llama no está disponible. Grabe su mensaje después del tono.",
    ),
    "screener": (
        "Hola, la persona a la que llama utiliza un filtro de llamadas. Diga su nombre y el motivo de su llamada.",
        "Antes de pasar la llamada, por favor, diga quién es y por qué llama.",
    ),
    "screener_connecting": ("Gracias. No cuelgue, por favor.", "Gracias. Un momento, le paso la llamada."),
    "ivr_menu": (
        "Bienvenido a Comercial Norte. Para ventas, pulse uno. Para facturas, pulse dos. "
        "Para escuchar de nuevo este mensaje, pulse nueve.",
        "Gracias por llamar. Para hablar con nuestra oficina, pulse uno. Para conocer el horario, pulse dos.",
    ),
    "ivr_invalid": ("Lo sentimos, esa opción no es válida.",),
    "ivr_connecting": ("Gracias. Le pasamos con el primer compañero disponible.",),
    "ivr_goodbye": ("No hemos recibido su elección. La llamada va a finalizar.",),
}
