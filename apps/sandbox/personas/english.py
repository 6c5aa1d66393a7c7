"""What English-speaking callees say: two or three phrasings of each line."""

from __future__ import annotations

from typing import Final

PHRASES: Final[dict[str, tuple[str, ...]]] = {
    "greeting": ("Hello?", "Hello, good day.", "Yes, hello, speaking."),
    "interested": (
        "Yes, that sounds interesting. Tell me more, please.",
        "Oh, good that you are calling. I have been thinking about that.",
        "Sure, I have a few minutes. What do you offer?",
    ),
    "accept": (
        "Alright, fair enough. Go on, I am listening.",
        "Okay, no problem, please carry on.",
    ),
    "talkative": (
        "Well, funny you should ask, because only yesterday my neighbour told me about something very similar, "
        "and I said to my wife that we should look into it, so yes, please go ahead, I would like to hear more.",
    ),
    "confirm": (
        "Yes, that works for me. Thank you.",
        "Yes, let us do it that way.",
        "That is right, I agree.",
    ),
    "confirm_callback": ("Yes, three o'clock is perfect, thank you.", "Exactly, tomorrow at three. Thanks."),
    "confirm_waiting": ("Great, thank you, that is all I wanted.", "Thank you, now I am talking to the right person."),
    "not_interested": (
        "No, thank you, I am not interested.",
        "I already have a provider and I am happy with it, sorry.",
        "That is not for me, really.",
    ),
    "opt_out": (
        "Please take me off your list and do not call me again.",
        "Stop calling me. Remove my number from your database.",
        "I do not want any more of these calls. Delete my number, please.",
    ),
    "callback_tomorrow_1500": (
        "I can not talk right now. Can you call me back tomorrow at three in the afternoon?",
        "This is not a good moment. Please call me tomorrow at three p m.",
    ),
    "wants_human": (
        "I would rather speak with a real person. Can you put me through?",
        "Could I talk to one of your colleagues, please? A human being.",
    ),
    "wrong_person": (
        "I am afraid you have the wrong number. Nobody by that name lives here.",
        "That is not me, you must have the wrong person.",
    ),
    "busy_now": (
        "Sorry, this is a bad time, I am driving.",
        "I am in a meeting right now, I can not talk.",
        "Not now, please, I am really busy.",
    ),
    "interruption": (
        "Wait, sorry to interrupt you, I have one question first.",
        "Hold on, hold on, let me say something.",
    ),
    "are_you_robot": (
        "Hold on, are you a robot?",
        "Am I talking to a machine or to a real person?",
    ),
    "question_price": ("And how much does it cost?", "What would I have to pay for that every month?"),
    "who_is_calling": ("Who is calling, please, and what is this about?", "Sorry, which company are you from?"),
    "ask_repeat": ("Sorry, I did not catch that. Could you say it again?", "Pardon? The line is bad, please repeat."),
    "send_information": (
        "Could you send me that by e-mail first? I want to read it in peace.",
        "Send me a text message with the details, please.",
    ),
    "other_language": (
        "Sorry, could we speak English, please? I do not understand any other language.",
        "Excuse me, do you speak English? I can not follow you otherwise.",
    ),
    "card_number": (
        "Then take my card, please. The number is 4242 4242 4242 4242, valid until 12/30, security code 123.",
        "I will pay at once. My card number is 4242 4242 4242 4242, and the code on the back is 123.",
    ),
    "wants_transfer": (
        "Please transfer me to your office, I would like to settle this with my adviser.",
        "Could you connect me with your main office, please? I will hold.",
    ),
    "wants_sms": (
        "Please send me the details by text message while we talk.",
        "Can you text me a link with all of that, please?",
    ),
    "still_there": ("Hello? Are you still there?", "Hello, can you hear me?"),
    "goodbye": ("Goodbye.", "Thanks, bye bye.", "Alright, have a nice day. Bye."),
    "voicemail_greeting": (
        "Hi, you have reached my voicemail. I can not come to the phone right now. "
        "Please leave a message after the tone.",
        "The person you are calling is not available. Please record your message after the beep.",
    ),
    "screener": (
        "Hi, the person you are calling is using a screening service. "
        "Please state your name and the reason for your call.",
        "Before I try to connect you, please say your name and why you are calling.",
    ),
    "screener_connecting": ("Thank you. Please stay on the line.", "Thanks. One moment, I am putting you through."),
    "ivr_menu": (
        "Welcome to Northwind Trading. For sales, press one. For invoices, press two. To hear this again, press nine.",
        "Thank you for calling. To speak with our office, press one. For opening hours, press two.",
    ),
    "ivr_invalid": ("Sorry, that is not a valid option.",),
    "ivr_connecting": ("Thank you. We are connecting you to the next free colleague.",),
    "ivr_goodbye": ("We have not received your choice. The call will now end.",),
}
