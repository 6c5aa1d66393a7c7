"""Made-up people, thirty per language of the demo."""

ENGLISH = (
    "Olivia Bennett, James Whitfield, Amelia Carter, Noah Prescott, Grace Holloway, Henry Lawson, Chloe Ramsey, "
    "Daniel Fletcher, Ruby Sinclair, Owen Marsh, Hannah Doyle, Lucas Thornton, Ella Brookes, Samuel Pike, Isla Fraser, "
    "George Hammond, Freya Nash, Adam Whitaker, Maya Collins, Toby Gallagher, Lily Osborne, Ethan Barlow, Nora Quinn, "
    "Jack Winslow, Zoe Harper, Finn Maddox, Alice Redmond, Leo Stanton, Eva Kirby, Max Ellison"
)
SPANISH = (
    "Lucía Ortega, Javier Molina, Carmen Salas, Diego Navarro, Elena Pastor, Mateo Rubio, Sofía Herrero, Pablo "
    "Iglesias, Marta Cano, Andrés Vidal, Paula Reyes, Hugo Santamaría, Nuria Campos, Álvaro Peña, Irene Gallego, "
    "Rubén Soto, Clara Méndez, Sergio Blanco, Alba Fuentes, Óscar Nieto, Rosa Delgado, Iván Crespo, Julia Marín, "
    "Adrián Lozano, Teresa Ibáñez, Raúl Carrasco, Inés Aguilar, Jorge Montero, Belén Varela, Tomás Esteban"
)
CZECH = (
    "Tereza Horáková, Jakub Dvořák, Lucie Černá, Tomáš Procházka, Eliška Kučerová, Martin Veselý, Anna Němcová, "
    "Filip Pokorný, Kateřina Růžičková, Ondřej Šimek, Veronika Fialová, Matěj Krejčí, Barbora Žáková, David Beneš, "
    "Markéta Vlčková, Vojtěch Urban, Petra Kadlecová, Lukáš Řezníček, Nikola Sýkorová, Jan Malý, Klára Bartošová, "
    "Adam Holub, Zuzana Vaňková, Štěpán Kolář, Monika Říhová, Radek Čermák, Ivana Šťastná, Michal Doležal, "
    "Jana Pavlíčková, Karel Zeman"
)


def people(names: str) -> list[tuple[str, str]]:
    """First and last names."""
    pairs = [name.split(" ", 1) for name in names.split(", ")]
    return [(first, last) for first, last in pairs]
